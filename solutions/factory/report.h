// SPDX-License-Identifier: Apache-2.0
// What a run of the factory's main job found, as JSON, as a table for the terminal and as a page with plots.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/json_fwd.h"
#include "forge/validate/evaluate.h"
#include "forge/validate/threshold.h"
#include "wire/messages.h"

namespace moru::factory {

struct RolloutFigures {
  std::int64_t release = 0;
  std::string what;     ///< "trained on from release 1"
  std::string outcome;  ///< "succeeded", "failed", "refused"
  std::string reason;
  double started_s = 0.0;  ///< since the lines started
  double seconds = 0.0;
  std::uint64_t shadow_items = 0;
  double drop = 0.0;  ///< accuracy lost against the current release, with its confidence limits
  double drop_low = 0.0;
  double drop_high = 0.0;
  bool expected = false;  ///< the outcome is the one this release was made for
};

struct NodeFigures {
  std::string name;
  std::int64_t release = 0;
  std::uint64_t items = 0;
  std::uint64_t missed = 0;
  std::uint64_t delivered = 0;  ///< records that the hub has acknowledged
  std::vector<wire::LinkLedger> ledger;
};

struct StepTime {
  std::string name;
  double seconds = 0.0;
  std::string note;
};

struct Report {
  std::string machine;
  std::uint64_t seed = 0;
  std::vector<StepTime> steps;

  forge::ModelFigures float_model;
  forge::ModelFigures int8_model;
  double argmax_agreement = 0.0;
  double max_drop = 0.0;        ///< budget: accuracy points, as a share
  double max_size_ratio = 0.0;  ///< budget
  bool budget_met = false;

  double threshold = 0.0;
  std::vector<forge::ThresholdPoint> validation_curve;
  std::vector<forge::ThresholdPoint> test_curve;

  std::uint64_t items = 0;   ///< emitted by the sources of both nodes
  std::uint64_t missed = 0;  ///< emitted items without a stored result, and items that the sources could not emit in time
  std::uint64_t defects_true = 0;
  std::uint64_t defects_found = 0;
  std::uint64_t false_alarms = 0;
  std::int64_t latency_p50_ns = 0;  ///< item to alert
  std::int64_t latency_p99_ns = 0;
  std::vector<std::pair<double, double>> latency_distribution;  ///< (milliseconds, share of items at most that late)
  std::vector<std::pair<std::string, std::vector<std::pair<double, double>>>> throughput;  ///< node -> (second, items/s)
  std::vector<std::pair<double, double>> agreement;  ///< (second, share of items whose class is the ordered one)

  std::vector<RolloutFigures> rollouts;
  std::vector<NodeFigures> nodes;

  double false_alarm_rate() const;
  double detection_rate() const;
  /// The sum of all nodes' links from the source to the hub: in at the source, out at the hub.
  wire::LinkLedger ledger() const;
  /// The job's own promises that this run did not keep, each a sentence; empty: all kept.
  std::vector<std::string> broken_promises() const;
};

Json to_json(const Report& report);
std::string to_text(const Report& report);
std::string to_html(const Report& report);

}  // namespace moru::factory
