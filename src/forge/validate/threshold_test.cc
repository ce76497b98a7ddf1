// SPDX-License-Identifier: Apache-2.0
#include "forge/validate/threshold.h"

#include <gmock/gmock.h>

#include "core/json.h"
#include "forge/data/synthetic_for_test.h"

namespace moru::forge {
namespace {

/// Scores 0.01, 0.02, ... 1.00 for kept orders; swapped ones lie below `highest`.
OrderScores ladder(float highest) {
  OrderScores scores;
  for (int i = 1; i <= 100; ++i) {
    scores.kept.push_back(static_cast<float>(i) / 100.0F);
    scores.swapped.push_back(highest * static_cast<float>(i) / 100.0F);
  }
  return scores;
}

TEST(Threshold, TakesTheHighestThatKeepsFalseAlarmsWithinTheLimit) {
  const auto point = choose_threshold(ladder(0.1F), 0.05);
  ASSERT_TRUE(point.has_value());
  EXPECT_DOUBLE_EQ(point->false_alarms, 0.05);
  EXPECT_GT(rates_at(ladder(0.1F), point->threshold + 0.011).false_alarms, 0.05);
  EXPECT_NEAR(point->detected, 0.59, 0.011);
}

TEST(Threshold, NoFalseAlarmsAllowedMeansTheLowestScore) {
  const auto point = choose_threshold(ladder(0.5F), 0.0);
  ASSERT_TRUE(point.has_value());
  EXPECT_EQ(point->false_alarms, 0.0);
  EXPECT_FLOAT_EQ(static_cast<float>(point->threshold), 0.01F);
}

TEST(Threshold, EqualScoresNeverBreakTheLimit) {
  const OrderScores scores{.kept = std::vector<float>(50, 0.3F), .swapped = {0.1F, 0.4F}};
  const auto point = choose_threshold(scores, 0.5);
  ASSERT_TRUE(point.has_value());
  EXPECT_EQ(point->false_alarms, 0.0);
  EXPECT_EQ(point->detected, 0.5);
}

TEST(Threshold, CurveRises) {
  const auto curve = threshold_curve(ladder(0.2F));
  ASSERT_GT(curve.size(), 10U);
  for (std::size_t i = 1; i < curve.size(); ++i) {
    EXPECT_GE(curve[i].false_alarms, curve[i - 1].false_alarms);
    EXPECT_GE(curve[i].detected, curve[i - 1].detected);
  }
  EXPECT_EQ(curve.back().detected, 1.0);
}

TEST(OrderScores, SwappedOrderIsAnotherClassDrawnBySeed) {
  const ImageSet set = synthetic_set_for_test(60, 3, 5);
  Evaluation evaluation{.classes = 3};
  for (std::int64_t i = 0; i < set.size(); ++i) {
    for (int c = 0; c < 3; ++c) evaluation.probabilities.push_back(c == set.label(i) ? 0.8F : 0.1F);
    evaluation.predicted.push_back(set.label(i));
  }
  const auto scores = order_scores(evaluation, set, 1);
  ASSERT_TRUE(scores.has_value());
  EXPECT_THAT(scores->kept, testing::Each(0.8F));
  EXPECT_THAT(scores->swapped, testing::Each(0.1F));
  const auto report = alert_threshold(evaluation, set, evaluation, set, 1);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->test.detected, 1.0);
  EXPECT_EQ(report->test.false_alarms, 0.0);
  EXPECT_EQ(to_json(*report)["test"]["detected"], 1.0);
}

TEST(OrderScores, ForeignEvaluationIsRefused) {
  const ImageSet set = synthetic_set_for_test(5, 3, 5);
  EXPECT_EQ(order_scores(Evaluation{.classes = 3}, set, 1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(choose_threshold({}, 0.1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(choose_threshold(ladder(0.1F), 1.5).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace moru::forge
