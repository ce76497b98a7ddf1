// SPDX-License-Identifier: Apache-2.0
// The alert's threshold: an item is a defect when the model gives the class that was ordered a probability below it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/json_fwd.h"
#include "core/result.h"
#include "forge/data/dataset.h"
#include "forge/validate/evaluate.h"

namespace moru::forge {

/// The probability of the ordered class for each image of a set: once with its own class as the order, once with another
/// class drawn by seed.
struct OrderScores {
  std::vector<float> kept;
  std::vector<float> swapped;
};
/// Errors: kInvalidArgument when set and evaluation do not belong together or there is only one class.
Result<OrderScores> order_scores(const Evaluation& evaluation, const ImageSet& set, std::uint64_t seed);

struct ThresholdPoint {
  double threshold = 0.0;
  double false_alarms = 0.0;  ///< share of kept orders that would raise an alert
  double detected = 0.0;      ///< share of swapped orders that would
};

/// Rates at one threshold.
ThresholdPoint rates_at(const OrderScores& scores, double threshold);

/// The highest threshold whose share of false alarms is at most `max_false_alarms` (in [0, 1]): it finds the most defects.
Result<ThresholdPoint> choose_threshold(const OrderScores& scores, double max_false_alarms);

/// Rates at thresholds from 1e-5 to 1, evenly spaced in the logarithm, 10 to a decade.
std::vector<ThresholdPoint> threshold_curve(const OrderScores& scores);

struct ThresholdReport {
  double threshold = 0.0;
  ThresholdPoint validation;
  ThresholdPoint test;
  std::vector<ThresholdPoint> validation_curve;
  std::vector<ThresholdPoint> test_curve;
};

/// Chooses on the validation part and reports on both. Orders of the test part are swapped by seed + 1. The default leaves
/// room below 1 %: on 5,000 images a share near 0.6 % has a standard error of 0.11 points.
Result<ThresholdReport> alert_threshold(const Evaluation& validation, const ImageSet& validation_set, const Evaluation& test,
                                        const ImageSet& test_set, std::uint64_t seed, double max_false_alarms = 0.006);

Json to_json(const ThresholdReport& report);

}  // namespace moru::forge
