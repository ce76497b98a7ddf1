// SPDX-License-Identifier: Apache-2.0
#include "edge/agent/soak.h"

#include <fmt/format.h>

#include <cmath>

#include "core/text.h"

namespace moru::edge {
namespace {

double share(const InferenceStats& stats) { return static_cast<double>(stats.right) / static_cast<double>(stats.labelled); }

/// The lowest share of right answers that is let pass: two-proportion z bound around the former model's.
double lowest_share(const InferenceStats& now, const InferenceStats& former, const SoakRules& rules) {
  const double p = share(former);
  const double variance = p * (1.0 - p) * (1.0 / static_cast<double>(now.labelled) + 1.0 / static_cast<double>(former.labelled));
  return p - rules.quality_margin - kSoakSigmas * std::sqrt(variance);
}

}  // namespace

SoakResult judge_soak(const InferenceStats& now, const std::optional<InferenceStats>& former, std::uint64_t items, const SoakRules& rules) {
  if (now.errors > 0) return {SoakVerdict::kBad, fmt::format("soak: {} of {} inferences failed, expected none", now.errors, now.items)};
  if (now.items < items) return {};
  if (!former || former->items == 0) return {SoakVerdict::kGood, {}};
  if (now.labelled >= rules.min_labelled && former->labelled >= rules.min_labelled) {
    const double lowest = lowest_share(now, *former, rules);
    if (share(now) < lowest) {
      return {SoakVerdict::kBad,
              fmt::format("soak: {:.1f} % of {} live items right, expected at least {:.1f} % (the former model: {:.1f} % of {})",
                          100.0 * share(now), now.labelled, 100.0 * lowest, 100.0 * share(*former), former->labelled)};
    }
  }
  const auto p99_limit = std::max(static_cast<TimeNs>(rules.p99_factor * static_cast<double>(former->p99_ns)), rules.p99_floor);
  if (now.p99_ns > p99_limit) {
    return {SoakVerdict::kBad, fmt::format("soak: inference p99 is {}, expected at most {} (the former model: {})",
                                           human_duration_ns(now.p99_ns), human_duration_ns(p99_limit), human_duration_ns(former->p99_ns))};
  }
  return {SoakVerdict::kGood, {}};
}

}  // namespace moru::edge
