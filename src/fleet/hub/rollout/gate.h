// SPDX-License-Identifier: Apache-2.0
// The gate of a rollout: may this candidate replace the current model, judged by live items that both have seen?
// Pure functions; the same figures give the same answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "wire/messages.h"

namespace moru::fleet {

/// What the gate asks for. Rates are shares of items, not percent.
struct GateOptions {
  std::uint64_t min_items = 500;            ///< first look; the following ones are at 2, 4, 8... times that
  std::uint64_t max_items = 4000;           ///< last look: what is undecided there fails
  double allowed_drop = 0.01;               ///< accuracy that a good candidate may lose
  double harmful_drop = 0.05;               ///< accuracy that a bad candidate loses
  double alpha = 0.01;                      ///< at most this share of good candidates fails
  double beta = 0.01;                       ///< at most this share of bad candidates passes
  double min_agreement = 0.9;               ///< for items without a reference class
  double latency_ratio = 3.0;               ///< candidate's p99 to the current model's p99
  TimeNs latency_floor = 5 * kMillisecond;  ///< a p99 up to here is always good enough
};

/// Reads {"min_items": 500, ...} from an operator; absent fields keep their defaults, unknown ones are errors, and the
/// numbers must fit each other.
Result<GateOptions> read_gate_options(const Json& object);
Json write_gate_options(const GateOptions& options);

/// How many looks the options allow, and how many items the look `index` needs.
int gate_looks(const GateOptions& options);
std::uint64_t gate_look_items(const GateOptions& options, int index);

enum class GateOutcome { kWait, kPass, kFail };

struct GateFigures {
  std::string test;  ///< "labelled", "agreement"; empty before the first look
  int looks_done = 0;
  std::uint64_t items = 0;  ///< that the test used
  double drop = 0;          ///< of accuracy on the labelled items; the bounds are those of one look
  double drop_low = 0;
  double drop_high = 0;
  double agree = 0;  ///< share of all items
  double agree_low = 0;
  double agree_high = 0;
  std::uint64_t errors = 0;
  TimeNs candidate_p99 = 0;  ///< of the node where it is worst beside its limit
  TimeNs current_p99 = 0;
};
Json write_gate_figures(const GateFigures& figures);

struct GateResult {
  GateOutcome outcome = GateOutcome::kWait;
  std::string reason;  ///< one sentence with the figures
  GateFigures figures;
};

/// One node's figures; the gate pools them.
struct NodeShadow {
  std::string node;
  wire::ShadowStats stats;
};

/// Judges the figures so far. `looks_done` is what the last result said (0 at first): each look is taken once, at the
/// first call at which it has enough items, so that looking often does not make an error more likely.
///
/// When at least half of the items carry a reference class: a test of the paired difference in accuracy, on the items
/// that only one of the two models got right. Let drop = P(only current right) - P(only candidate right).
///   fails  when the lower confidence bound of the drop is above allowed_drop, at level alpha / looks;
///   passes when the upper one is below harmful_drop, at level beta / looks.
/// Dividing by the number of looks (Bonferroni) keeps the error rates over all looks together at most alpha and beta.
/// Where both hold (allowed < drop < harmful, many items), it fails. Otherwise the same on the share of items where the
/// models agree, with Wilson's interval (JASA 22, 1927), against min_agreement.
///
/// Besides, a candidate fails at its first error; it cannot pass while its p99 on some node is above
/// max(latency_ratio * current p99, latency_floor). What is undecided at the last look fails.
GateResult evaluate_gate(const GateOptions& options, const std::vector<NodeShadow>& nodes, int looks_done);

/// P(X - Y >= only_current - only_candidate) for `items` pairs with P(X) - P(Y) = drop: the one-sided p-value of the
/// paired difference. Exact for the trinomial distribution at the nuisance parameter's maximum-likelihood estimate
/// under that drop (Tango, Statistics in Medicine 17, 1998, gives the estimate; Lloyd, Aust. N. Z. J. Stat. 50, 2008,
/// the method): it holds its level at small counts, where normal approximations do not.
double paired_p_value_at_least(std::uint64_t items, std::uint64_t only_current, std::uint64_t only_candidate, double drop);

struct Interval {
  double low = 0;
  double high = 0;
};
/// The drops that the test above does not reject at one-sided `level` each way. Cost: some milliseconds.
Interval paired_interval(std::uint64_t items, std::uint64_t only_current, std::uint64_t only_candidate, double level);
/// Wilson's score interval of a share, one-sided `level` each way.
Interval wilson_interval(std::uint64_t items, std::uint64_t hits, double level);

}  // namespace moru::fleet
