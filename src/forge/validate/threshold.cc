// SPDX-License-Identifier: Apache-2.0
#include "forge/validate/threshold.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/json.h"
#include "core/random.h"

namespace moru::forge {
namespace {

double share_below(std::span<const float> scores, double threshold) {
  if (scores.empty()) return 0.0;
  const auto below = std::ranges::count_if(scores, [&](float score) { return static_cast<double>(score) < threshold; });
  return static_cast<double>(below) / static_cast<double>(scores.size());
}

Json point_json(const ThresholdPoint& point) {
  return {{"threshold", point.threshold}, {"false_alarms", point.false_alarms}, {"detected", point.detected}};
}

Json curve_json(std::span<const ThresholdPoint> curve) {
  Json list = Json::array();
  for (const ThresholdPoint& point : curve) list.push_back(point_json(point));
  return list;
}

}  // namespace

Result<OrderScores> order_scores(const Evaluation& evaluation, const ImageSet& set, std::uint64_t seed) {
  if (evaluation.predicted.size() != static_cast<std::size_t>(set.size()) || evaluation.classes < 2) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("threshold: found {} predictions of {} classes for {} images, expected one for each image and 2 or more classes",
                    evaluation.predicted.size(), evaluation.classes, set.size()));
  }
  OrderScores scores;
  Rng random(seed);
  const auto classes = static_cast<std::size_t>(evaluation.classes);
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const auto row = evaluation.row(i);
    const std::size_t own = set.label(i);
    if (own >= classes)
      return fail(ErrorCode::kInvalidArgument, fmt::format("threshold: image {} has label {}, expected 0 to {}", i, own, classes - 1));
    const std::size_t other = (own + 1 + random.below(classes - 1)) % classes;
    scores.kept.push_back(row[own]);
    scores.swapped.push_back(row[other]);
  }
  return scores;
}

ThresholdPoint rates_at(const OrderScores& scores, double threshold) {
  return {threshold, share_below(scores.kept, threshold), share_below(scores.swapped, threshold)};
}

Result<ThresholdPoint> choose_threshold(const OrderScores& scores, double max_false_alarms) {
  if (scores.kept.empty()) return fail(ErrorCode::kInvalidArgument, "threshold: found no scores, expected at least one");
  if (!(max_false_alarms >= 0.0 && max_false_alarms <= 1.0)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("threshold: found {} as the share of false alarms, expected 0 to 1", max_false_alarms));
  }
  std::vector<float> sorted = scores.kept;
  std::ranges::sort(sorted);
  // As many scores may lie below the threshold as the share allows; the next one is the highest threshold that does that.
  const auto allowed = static_cast<std::size_t>(std::floor(max_false_alarms * static_cast<double>(sorted.size())));
  return rates_at(scores, allowed < sorted.size() ? static_cast<double>(sorted[allowed]) : 1.0);
}

std::vector<ThresholdPoint> threshold_curve(const OrderScores& scores) {
  std::vector<ThresholdPoint> curve;
  for (int i = -50; i <= 0; ++i) curve.push_back(rates_at(scores, std::pow(10.0, i / 10.0)));
  return curve;
}

Result<ThresholdReport> alert_threshold(const Evaluation& validation, const ImageSet& validation_set, const Evaluation& test,
                                        const ImageSet& test_set, std::uint64_t seed, double max_false_alarms) {
  MORU_ASSIGN_OR_RETURN(const OrderScores on_validation, order_scores(validation, validation_set, seed));
  MORU_ASSIGN_OR_RETURN(const OrderScores on_test, order_scores(test, test_set, seed + 1));
  ThresholdReport report;
  MORU_ASSIGN_OR_RETURN(report.validation, choose_threshold(on_validation, max_false_alarms));
  report.threshold = report.validation.threshold;
  report.test = rates_at(on_test, report.threshold);
  report.validation_curve = threshold_curve(on_validation);
  report.test_curve = threshold_curve(on_test);
  return report;
}

Json to_json(const ThresholdReport& report) {
  return {{"threshold", report.threshold},
          {"validation", point_json(report.validation)},
          {"test", point_json(report.test)},
          {"validation_curve", curve_json(report.validation_curve)},
          {"test_curve", curve_json(report.test_curve)}};
}

}  // namespace moru::forge
