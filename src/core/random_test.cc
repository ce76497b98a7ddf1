// SPDX-License-Identifier: Apache-2.0
#include "core/random.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <numeric>

namespace moru {
namespace {

TEST(Rng, GivesThePublishedSequence) {
  // The first outputs of xoshiro256** whose state comes from SplitMix64 with seed 0.
  Rng rng(0);
  for (const std::uint64_t expected :
       {0x99ec5f36cb75f2b4U, 0xbf6e1f784956452aU, 0x1a5f849d4933e6e0U, 0x6aa594f1262d2d2cU, 0xbba5ad4a1f842e59U}) {
    EXPECT_EQ(rng.next(), expected);
  }
  EXPECT_EQ(Rng(42).next(), 0x15780b2e0c2ec716U);
}

TEST(Rng, ShuffleIsAPermutationFixedBySeed) {
  std::array<int, 10> items{};
  std::iota(items.begin(), items.end(), 0);
  Rng(7).shuffle(std::span<int>(items));
  EXPECT_THAT(items, testing::ElementsAre(1, 8, 3, 0, 4, 5, 9, 6, 2, 7));
}

TEST(Rng, ShuffleOfNothingAndOfOneIsFine) {
  Rng rng(1);
  rng.shuffle(std::span<int>());
  std::array<int, 1> one = {5};
  rng.shuffle(std::span<int>(one));
  EXPECT_EQ(one[0], 5);
}

TEST(Rng, BelowHitsEveryValueEvenly) {
  Rng rng(3);
  constexpr int kDraws = 70'000;
  std::array<int, 7> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts.at(rng.below(7));
  double chi_squared = 0;
  for (const int count : counts) chi_squared += (count - 10'000.0) * (count - 10'000.0) / 10'000.0;
  EXPECT_LT(chi_squared, 22.46);  // 6 degrees of freedom: exceeded once in 1,000 seeds
}

TEST(Rng, BelowIsNotBiasedForBoundsNearTheWordSize) {
  // By remainder alone, the lower half of [0, 3 * 2^62) would come up twice as often as the rest.
  Rng rng(4);
  const std::uint64_t bound = std::uint64_t{3} << 62U;
  int low = 0;
  constexpr int kDraws = 30'000;
  for (int i = 0; i < kDraws; ++i) low += rng.below(bound) < (std::uint64_t{1} << 62U) ? 1 : 0;
  EXPECT_NEAR(low, kDraws / 3.0, 5 * std::sqrt(kDraws * 2.0 / 9.0));
}

TEST(Rng, BelowOneIsZero) { EXPECT_EQ(Rng(5).below(1), 0U); }

TEST(RngDeathTest, BelowZeroIsABug) { EXPECT_DEATH(Rng(5).below(0), "check failed: bound > 0"); }

TEST(Rng, UniformAndNormalHaveTheirMoments) {
  Rng pinned(1);
  EXPECT_DOUBLE_EQ(pinned.uniform(), 0.7029218331588505);
  EXPECT_NEAR(Rng(1).normal(), -1.5452228371402943, 1e-12);
  Rng rng(6);
  constexpr int kDraws = 100'000;
  double sum = 0;
  double normal_sum = 0;
  double normal_squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    const double n = rng.normal();
    ASSERT_TRUE(std::isfinite(n));
    normal_sum += n;
    normal_squares += n * n;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.005);
  EXPECT_NEAR(normal_sum / kDraws, 0.0, 0.016);
  EXPECT_NEAR(normal_squares / kDraws, 1.0, 0.023);
}

}  // namespace
}  // namespace moru
