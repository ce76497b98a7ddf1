// SPDX-License-Identifier: Apache-2.0
#include "core/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "core/random.h"

namespace moru {
namespace {

TEST(Histogram, IsEmptyAtFirstAndAfterReset) {
  Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), 0);
  EXPECT_EQ(histogram.mean(), 0.0);
  histogram.record(7);
  histogram.reset();
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.max(), 0);
  EXPECT_EQ(histogram.quantile(1.0), 0);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (int i = 1; i <= 20; ++i) histogram.record(i);
  EXPECT_EQ(histogram.quantile(0.0), 1);
  EXPECT_EQ(histogram.quantile(0.5), 10);
  EXPECT_EQ(histogram.quantile(0.95), 19);
  EXPECT_EQ(histogram.quantile(1.0), 20);
  EXPECT_DOUBLE_EQ(histogram.mean(), 10.5);
}

TEST(Histogram, QuantilesAreWithinThreePointTwoPercentAtEveryMagnitude) {
  // One value a bucket edge and its neighbours, over the whole range of 63 bits.
  for (unsigned bit = 5; bit < 63; ++bit) {
    const std::int64_t power = std::int64_t{1} << bit;
    for (const std::int64_t value : {power - 1, power, power + 1, power + power / 3}) {
      Histogram histogram;
      histogram.record(value);
      histogram.record(std::numeric_limits<std::int64_t>::max());  // so that max() does not hide the edge
      const std::int64_t found = histogram.quantile(0.5);
      ASSERT_GE(found, value);
      ASSERT_LE(static_cast<double>(found - value), 0.032 * static_cast<double>(value)) << value;
    }
  }
}

TEST(Histogram, QuantilesFollowTheSortedValues) {
  Histogram histogram;
  std::vector<std::int64_t> values;
  Rng rng(11);
  for (int i = 0; i < 10'000; ++i) {
    values.push_back(static_cast<std::int64_t>(rng.below(1'000'000'000)));
    histogram.record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double q : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const auto exact = static_cast<double>(values[static_cast<std::size_t>(q * 10'000) - 1]);
    EXPECT_NEAR(static_cast<double>(histogram.quantile(q)), exact, 0.032 * exact + 1) << q;
  }
  EXPECT_EQ(histogram.quantile(1.0), values.back());
  EXPECT_EQ(histogram.max(), values.back());
}

TEST(Histogram, TakesTheExtremes) {
  Histogram histogram;
  histogram.record(-5);
  EXPECT_EQ(histogram.quantile(1.0), 0);
  histogram.record(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(histogram.max(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(histogram.quantile(1.0), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(histogram.quantile(-1.0), 0);
  EXPECT_EQ(histogram.quantile(2.0), std::numeric_limits<std::int64_t>::max());
}

TEST(Histogram, LosesNothingBetweenThreads) {
  Histogram histogram;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&histogram, t] {
        for (int i = 0; i < 10'000; ++i) histogram.record(t * 10'000 + i);
      });
    }
  }
  EXPECT_EQ(histogram.count(), 40'000U);
  EXPECT_EQ(histogram.max(), 39'999);
  EXPECT_DOUBLE_EQ(histogram.mean(), 19'999.5);
}

}  // namespace
}  // namespace moru
