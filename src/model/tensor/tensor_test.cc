// SPDX-License-Identifier: Apache-2.0
#include "model/tensor/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace moru::model {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(DType, NameAndBack) {
  for (int i = 0; i <= static_cast<int>(DType::kBool); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_string(to_string(dtype)), dtype);
    EXPECT_GT(size_of(dtype), 0U);
  }
  EXPECT_EQ(dtype_from_string("float"), std::nullopt);
  EXPECT_EQ(size_of(DType::kFloat32), 4U);
  EXPECT_EQ(size_of(DType::kInt64), 8U);
}

TEST(ElementCount, MultipliesExtents) {
  EXPECT_EQ(element_count(Dims{2, 3, 4}, DType::kFloat32).value(), 24);
  EXPECT_EQ(element_count(Dims{}, DType::kFloat32).value(), 1);
  EXPECT_EQ(element_count(Dims{5, 0}, DType::kFloat32).value(), 0);
}

TEST(ElementCount, RefusesNegativeExtent) {
  const auto count = element_count(Dims{2, -1}, DType::kFloat32);
  ASSERT_FALSE(count.has_value());
  EXPECT_EQ(count.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(count.error().message, HasSubstr("[2, -1]"));
}

TEST(ElementCount, RefusesWhatCouldOverflow) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  for (const Dims& dims : {Dims{kMax}, Dims{kMax, kMax}, Dims{1 << 20, 1 << 20}, Dims{0, kMax}, Dims{kMax, 0}}) {
    const auto count = element_count(dims, DType::kFloat32);
    ASSERT_FALSE(count.has_value()) << to_string(dims);
    EXPECT_EQ(count.error().code, ErrorCode::kResourceExhausted);
  }
  EXPECT_EQ(element_count(Dims{1 << 20, 1 << 20}, DType::kInt8).value(), std::int64_t{1} << 40);
}

TEST(Tensor, DefaultIsEmptyFloat) {
  const Tensor tensor;
  EXPECT_EQ(tensor.dtype(), DType::kFloat32);
  EXPECT_THAT(tensor.dims(), ElementsAre(0));
  EXPECT_TRUE(tensor.data<float>().empty());
}

TEST(Tensor, CreateIsZeroedAndAligned) {
  for (const std::int64_t count : {0, 1, 7, 1000, 100'000}) {
    const auto tensor = Tensor::create(DType::kInt16, {count});
    ASSERT_TRUE(tensor.has_value());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor->bytes().data()) % 64, 0U);
    EXPECT_THAT(tensor->data<std::int16_t>(), Each(0));
    EXPECT_EQ(tensor->size_bytes(), static_cast<std::size_t>(count) * 2);
  }
}

TEST(Tensor, FromBytesNeedsAsManyBytesAsTheShape) {
  const std::array<std::byte, 7> bytes{};
  const auto tensor = Tensor::from_bytes(DType::kFloat32, {2}, bytes);
  ASSERT_FALSE(tensor.has_value());
  EXPECT_EQ(tensor.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(tensor.error().message, HasSubstr("found 7 bytes, expected 8"));
}

TEST(Tensor, FromBytesDoesNotAllocateForAFalseShape) {
  const auto tensor = Tensor::from_bytes(DType::kInt8, {std::int64_t{1} << 40}, {});
  ASSERT_FALSE(tensor.has_value());
  EXPECT_EQ(tensor.error().code, ErrorCode::kCorrupt);
}

TEST(Tensor, FromBytesRefusesBoolsOtherThanZeroAndOne) {
  const std::array bytes{std::byte{1}, std::byte{2}};
  const auto tensor = Tensor::from_bytes(DType::kBool, {2}, bytes);
  ASSERT_FALSE(tensor.has_value());
  EXPECT_EQ(tensor.error().code, ErrorCode::kCorrupt);
}

TEST(Tensor, CopySharesAndCloneDoesNot) {
  Tensor a = Tensor::of<float>({2}, {1.0F, 2.0F});
  const Tensor shared = a;
  const Tensor own = a.clone();
  a.mutable_data<float>()[0] = 5.0F;
  EXPECT_THAT(shared.data<float>(), ElementsAre(5.0F, 2.0F));
  EXPECT_THAT(own.data<float>(), ElementsAre(1.0F, 2.0F));
}

TEST(Tensor, ReshapedSharesData) {
  const Tensor a = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor b = a.reshaped({3, 2});
  EXPECT_EQ(b.bytes().data(), a.bytes().data());
  EXPECT_THAT(b.dims(), ElementsAre(3, 2));
}

TEST(TensorDeathTest, WrongElementTypeEndsTheProcess) {
  const Tensor a = Tensor::scalar<float>(1);
  EXPECT_DEATH((void)a.data<std::int32_t>(), "DTypeOf");
}

TEST(SameBits, ComparesTypeShapeAndBytes) {
  const Tensor a = Tensor::of<std::int8_t>({2}, {1, 2});
  EXPECT_TRUE(same_bits(a, a.clone()));
  EXPECT_FALSE(same_bits(a, Tensor::of<std::int8_t>({2}, {1, 3})));
  EXPECT_FALSE(same_bits(a, Tensor::of<std::uint8_t>({2}, {1, 2})));
  EXPECT_FALSE(same_bits(a, a.reshaped({1, 2})));
}

}  // namespace
}  // namespace moru::model
