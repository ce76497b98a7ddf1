// SPDX-License-Identifier: Apache-2.0
// Whether a model that was just swapped in is at least as good as the one it replaced, on live items.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/clock.h"
#include "edge/streams/stages/infer.h"

namespace moru::edge {

struct SoakRules {
  /// The share of right answers may be lower by this much, and by kSoakSigmas standard errors of the difference on top,
  /// so that a model that is just as good is sent back in fewer than 1 of 700 soaks.
  double quality_margin = 0.02;
  /// Fewer labelled items than this on either side say nothing.
  std::uint64_t min_labelled = 50;
  /// The inference time p99 may be this many times the former model's, and is never held against a model below the floor:
  /// one hiccup of a busy machine is a fiftieth of a short soak.
  double p99_factor = 4.0;
  TimeNs p99_floor = 50 * kMillisecond;
};

inline constexpr double kSoakSigmas = 3.0;

enum class SoakVerdict { kGoOn, kGood, kBad };

struct SoakResult {
  SoakVerdict verdict = SoakVerdict::kGoOn;
  std::string reason;  ///< for kBad
};

/// `former`: what the model before had done until the swap; none for a first release. One error is enough to fail;
/// quality and latency are judged when `items` have passed.
SoakResult judge_soak(const InferenceStats& now, const std::optional<InferenceStats>& former, std::uint64_t items, const SoakRules& rules);

}  // namespace moru::edge
