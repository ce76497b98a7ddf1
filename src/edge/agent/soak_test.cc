// SPDX-License-Identifier: Apache-2.0
#include "edge/agent/soak.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/random.h"

namespace moru::edge {
namespace {

using ::testing::HasSubstr;

InferenceStats stats(std::uint64_t items, std::uint64_t right, TimeNs p99 = kMillisecond) {
  return {.items = items, .errors = 0, .labelled = items, .right = right, .p99_ns = p99};
}

TEST(Soak, WaitsForItsItems) {
  EXPECT_EQ(judge_soak(stats(199, 10), stats(1000, 900), 200, {}).verdict, SoakVerdict::kGoOn);
  EXPECT_EQ(judge_soak(stats(200, 180), stats(1000, 900), 200, {}).verdict, SoakVerdict::kGood);
}

TEST(Soak, OneErrorIsEnough) {
  InferenceStats now = stats(3, 3);
  now.errors = 1;
  const auto result = judge_soak(now, stats(1000, 900), 200, {});
  EXPECT_EQ(result.verdict, SoakVerdict::kBad);
  EXPECT_THAT(result.reason, HasSubstr("1 of 3 inferences failed"));
}

TEST(Soak, AFirstReleaseHasNothingToBeComparedWith) {
  EXPECT_EQ(judge_soak(stats(200, 0, kSecond), std::nullopt, 200, {}).verdict, SoakVerdict::kGood);
  EXPECT_EQ(judge_soak(stats(200, 0, kSecond), stats(0, 0), 200, {}).verdict, SoakVerdict::kGood);
}

TEST(Soak, AMuchWorseModelIsSentBackWithTheFigures) {
  const auto result = judge_soak(stats(200, 120), stats(1000, 900), 200, {});
  EXPECT_EQ(result.verdict, SoakVerdict::kBad);
  EXPECT_THAT(result.reason, HasSubstr("60.0 % of 200"));
  EXPECT_THAT(result.reason, HasSubstr("90.0 % of 1000"));
}

TEST(Soak, FewLabelsSayNothing) { EXPECT_EQ(judge_soak(stats(30, 0), stats(1000, 900), 30, {}).verdict, SoakVerdict::kGood); }

TEST(Soak, AnEquallyGoodModelIsSentBackRarely) {
  Rng rng(11);
  int sent_back = 0;
  constexpr int kTrials = 20'000;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::uint64_t right = 0;
    for (int i = 0; i < 200; ++i) right += rng.uniform() < 0.9 ? 1 : 0;
    if (judge_soak(stats(200, right), stats(2000, 1800), 200, {}).verdict == SoakVerdict::kBad) ++sent_back;
  }
  EXPECT_LT(sent_back, kTrials / 700) << "the promise of SoakRules";
}

TEST(Soak, LatencyIsBoundedByTheFormerModelAndTheFloor) {
  EXPECT_EQ(judge_soak(stats(200, 180, 40 * kMillisecond), stats(1000, 900, kMillisecond), 200, {}).verdict, SoakVerdict::kGood);
  const auto slow = judge_soak(stats(200, 180, 60 * kMillisecond), stats(1000, 900, kMillisecond), 200, {});
  EXPECT_EQ(slow.verdict, SoakVerdict::kBad);
  EXPECT_THAT(slow.reason, HasSubstr("p99"));
  EXPECT_EQ(judge_soak(stats(200, 180, 60 * kMillisecond), stats(1000, 900, 20 * kMillisecond), 200, {}).verdict, SoakVerdict::kGood);
}

}  // namespace
}  // namespace moru::edge
