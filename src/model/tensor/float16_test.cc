// SPDX-License-Identifier: Apache-2.0
#include "model/tensor/float16.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "core/random.h"

namespace moru::model {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

template <class T>
class SmallFloats : public testing::Test {};
using AllKinds = testing::Types<Float16, BFloat16, Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ>;
TYPED_TEST_SUITE(SmallFloats, AllKinds);

TYPED_TEST(SmallFloats, EveryPatternGoesToFloatAndBack) {
  const unsigned patterns = 1U << (sizeof(TypeParam) * 8);
  for (unsigned bits = 0; bits < patterns; ++bits) {
    const auto small = TypeParam::from_bits(static_cast<typename TypeParam::Bits>(bits));
    const auto back = TypeParam(static_cast<float>(small)).bits();
    // Float8E5M2's three NaNs are kept, too: their payload fits.
    EXPECT_EQ(back, bits) << static_cast<float>(small);
  }
}

/// Between two neighbours the nearer one is taken, and in the middle the one whose last bit is 0.
TYPED_TEST(SmallFloats, RoundsToNearestEven) {
  const unsigned half = 1U << (sizeof(TypeParam) * 8 - 1);
  for (unsigned bits = 0; bits + 1 < half; ++bits) {
    const auto low = static_cast<float>(TypeParam::from_bits(static_cast<typename TypeParam::Bits>(bits)));
    const auto high = static_cast<float>(TypeParam::from_bits(static_cast<typename TypeParam::Bits>(bits + 1)));
    if (!std::isfinite(low) || !std::isfinite(high)) continue;
    const float middle = low + (high - low) / 2;
    EXPECT_EQ(TypeParam(middle).bits(), bits % 2 == 0 ? bits : bits + 1) << middle;
    EXPECT_EQ(TypeParam(std::nextafter(middle, low)).bits(), bits) << middle;
    EXPECT_EQ(TypeParam(std::nextafter(middle, high)).bits(), bits + 1) << middle;
    EXPECT_EQ(static_cast<float>(TypeParam(-middle)), -static_cast<float>(TypeParam(middle)));
  }
}

TEST(Float16, KnownValues) {
  EXPECT_EQ(Float16(1.0F).bits(), 0x3C00);
  EXPECT_EQ(Float16(-2.0F).bits(), 0xC000);
  EXPECT_EQ(Float16(65504.0F).bits(), 0x7BFF);
  EXPECT_EQ(Float16(65519.0F).bits(), 0x7BFF);
  EXPECT_EQ(Float16(65520.0F).bits(), 0x7C00);
  EXPECT_EQ(Float16(-1e30F).bits(), 0xFC00);
  EXPECT_EQ(Float16(kInf).bits(), 0x7C00);
  EXPECT_EQ(Float16(std::ldexp(1.0F, -24)).bits(), 0x0001);
  EXPECT_EQ(Float16(std::ldexp(1.0F, -25)).bits(), 0x0000);
  EXPECT_EQ(Float16(-0.0F).bits(), 0x8000);
  EXPECT_TRUE(std::isnan(static_cast<float>(Float16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_EQ(Float16::saturated(kInf).bits(), 0x7BFF);
  EXPECT_EQ(Float16::saturated(-1e30F).bits(), 0xFBFF);
}

TEST(Float16, ANanWhosePayloadIsLostStaysANan) {
  const auto nan = std::bit_cast<float>(0x7F800001U);
  EXPECT_TRUE(std::isnan(static_cast<float>(Float16(nan))));
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(nan))));
}

TEST(BFloat16, IsTheUpperHalfOfAFloat) {
  Rng rng(5);
  for (int i = 0; i < 10000; ++i) {
    const auto upper = static_cast<std::uint16_t>(rng.next());
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(upper) << 16U);
    if (std::isnan(value)) continue;
    EXPECT_EQ(BFloat16(value).bits(), upper);
  }
  EXPECT_EQ(BFloat16(std::numeric_limits<float>::max()).bits(), 0x7F80);
  EXPECT_EQ(BFloat16(std::numeric_limits<float>::denorm_min()).bits(), 0);
}

TEST(Float8, KnownValues) {
  EXPECT_EQ(static_cast<float>(Float8E4M3FN::from_bits(0x7E)), 448.0F);
  EXPECT_TRUE(std::isnan(static_cast<float>(Float8E4M3FN::from_bits(0x7F))));
  EXPECT_EQ(static_cast<float>(Float8E4M3FNUZ::from_bits(0x7F)), 240.0F);
  EXPECT_TRUE(std::isnan(static_cast<float>(Float8E4M3FNUZ::from_bits(0x80))));
  EXPECT_EQ(static_cast<float>(Float8E5M2::from_bits(0x7B)), 57344.0F);
  EXPECT_EQ(static_cast<float>(Float8E5M2::from_bits(0x7C)), kInf);
  EXPECT_EQ(static_cast<float>(Float8E5M2FNUZ::from_bits(0x7F)), 57344.0F);
  EXPECT_EQ(static_cast<float>(Float8E4M3FN::from_bits(0x01)), std::ldexp(1.0F, -9));
}

TEST(Float8, WhatIsTooLargeIsNanOrTheLargest) {
  EXPECT_EQ(Float8E4M3FN(1000.0F).bits(), 0x7F);
  EXPECT_EQ(Float8E4M3FN::saturated(-1000.0F).bits(), 0xFE);
  EXPECT_EQ(Float8E4M3FN::saturated(kInf).bits(), 0x7E);
  EXPECT_EQ(Float8E4M3FNUZ(1000.0F).bits(), 0x80);
  EXPECT_EQ(Float8E4M3FNUZ(-0.0F).bits(), 0x00);
  EXPECT_EQ(Float8E5M2(1e9F).bits(), 0x7C);
  EXPECT_EQ(Float8E5M2::saturated(1e9F).bits(), 0x7B);
  EXPECT_EQ(Float8E5M2FNUZ::saturated(-kInf).bits(), 0xFF);
}

TEST(SmallFloat, IsRoundedOnceFromADouble) {
  // A little above the middle of 1 and the next float16; as a float it would be the middle, which goes to even.
  const double value = 1.0 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40);
  EXPECT_EQ(Float16(value).bits(), 0x3C01);
  EXPECT_EQ(Float16(static_cast<float>(value)).bits(), 0x3C00);
  EXPECT_EQ(Float16(2049).bits(), Float16(2048.0F).bits());
  EXPECT_TRUE(std::isnan(static_cast<float>(Float16(std::numeric_limits<double>::quiet_NaN()))));
}

TEST(SmallFloat, ComparesAsFloat) {
  EXPECT_LT(Float16(1.0F), Float16(2.0F));
  EXPECT_EQ(Float16(0.0F), Float16(-0.0F));
  EXPECT_NE(Float16(NAN), Float16(NAN));
}

}  // namespace
}  // namespace moru::model
