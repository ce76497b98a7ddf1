// SPDX-License-Identifier: Apache-2.0
// What an ISA has written by hand, beside the scalar kernel to the bit.
#include "runtime/kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "runtime/kernels/guarded.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/random_for_test.h"

namespace moru::kernels {
namespace {

void draw(Rng& rng, Guarded<std::uint8_t>& levels) {
  for (auto& level : levels.all()) level = static_cast<std::uint8_t>(between(rng, 0, 255));
}

float factor(Rng& rng) {
  if (between(rng, 0, 3) == 0) return 0.5F;  // every second result lies on a half
  return std::uniform_real_distribution<float>(-2.0F, 2.0F)(rng) * (between(rng, 0, 9) == 0 ? 500000.0F : 1.0F);
}

TEST(Elementwise, SumsOfLevelsAreTheScalarKernelsToTheBit) {
  Rng rng(1);
  for (int round = 0; round < 600; ++round) {
    const auto count = static_cast<std::size_t>(between(rng, 1, 300));
    Guarded<std::uint8_t> a(count, kSlack);
    Guarded<std::uint8_t> b(count, kSlack);
    draw(rng, a);
    draw(rng, b);
    AddU8 call{.count = count, .a = a.data(), .b = b.data(), .a_zero = between(rng, 0, 255), .b_zero = between(rng, 0, 255)};
    call.a_factor = factor(rng);
    call.b_factor = factor(rng);
    call.zero = between(rng, 0, 255);
    const int low = between(rng, -call.zero, 255 - call.zero);
    call.low = static_cast<float>(round % 2 == 0 ? -call.zero : low);
    call.high = static_cast<float>(round % 2 == 0 ? 255 - call.zero : between(rng, low, 255 - call.zero));
    const auto run = [&](Isa isa) {
      Guarded<std::uint8_t> y(count);
      call.y = y.data();
      kernels_for(isa).elementwise->add_u8(call);
      return std::vector<std::uint8_t>(y.all().begin(), y.all().end());
    };
    const auto expected = run(Isa::kScalar);
    for (const Isa isa : machine_isas()) ASSERT_EQ(run(isa), expected) << to_string(isa) << " round " << round;
  }
}

TEST(Elementwise, SumsOfRowsAreTheScalarKernels) {
  Rng rng(2);
  for (int round = 0; round < 200; ++round) {
    const auto rows = static_cast<std::size_t>(between(rng, 1, 30));
    const auto channels = static_cast<std::size_t>(between(rng, 1, 200));
    const std::size_t stride = channels + static_cast<std::size_t>(between(rng, 0, 9));
    Guarded<std::uint8_t> x((rows - 1) * stride + channels, kSlack);
    draw(rng, x);
    const auto run = [&](Isa isa) {
      Guarded<std::int32_t> sums(channels);
      for (auto& sum : sums.all()) sum = 7;
      kernels_for(isa).elementwise->sum_rows_u8(x.data(), rows, static_cast<std::ptrdiff_t>(stride), channels, sums.data());
      return std::vector<std::int32_t>(sums.all().begin(), sums.all().end());
    };
    const auto expected = run(Isa::kScalar);
    std::int32_t first = 7;
    for (std::size_t row = 0; row < rows; ++row) first += x.all()[row * stride];
    ASSERT_EQ(expected.front(), first);
    for (const Isa isa : machine_isas()) ASSERT_EQ(run(isa), expected) << to_string(isa) << " round " << round;
  }
}

}  // namespace
}  // namespace moru::kernels
