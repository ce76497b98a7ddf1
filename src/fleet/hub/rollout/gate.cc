// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/rollout/gate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/json.h"
#include "core/text.h"

namespace moru::fleet {
namespace {

constexpr std::string_view kWhere = "gate";

struct NumberField {
  const char* name;
  double GateOptions::* value;
  double min;
  double max;
};
constexpr NumberField kNumbers[] = {
    {"allowed_drop", &GateOptions::allowed_drop, 0.0, 1.0},
    {"harmful_drop", &GateOptions::harmful_drop, 0.0, 1.0},
    {"alpha", &GateOptions::alpha, 1e-6, 0.5},
    {"beta", &GateOptions::beta, 1e-6, 0.5},
    {"min_agreement", &GateOptions::min_agreement, 0.0, 1.0},
    {"latency_ratio", &GateOptions::latency_ratio, 1.0, 1000.0},
};
constexpr std::uint64_t kMostItems = 1'000'000;

Status read_count(const Json& object, const char* name, std::uint64_t* out) {
  if (!object.contains(name)) return {};
  MORU_ASSIGN_OR_RETURN(*out, json_field<std::uint64_t>(object, name, kWhere));
  if (*out < 1 || *out > kMostItems) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} = {}, expected 1 to {}", kWhere, name, *out, kMostItems));
  }
  return {};
}

Status read_number(const Json& object, const NumberField& field, GateOptions* out) {
  if (!object.contains(field.name)) return {};
  MORU_ASSIGN_OR_RETURN(const double value, json_field<double>(object, field.name, kWhere));
  if (!(value >= field.min && value <= field.max)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found {} = {}, expected {} to {}", kWhere, field.name, value, field.min, field.max));
  }
  out->*field.value = value;
  return {};
}

Status check_names(const Json& object) {
  std::vector<std::string> known = {"min_items", "max_items", "latency_floor_ms"};
  for (const NumberField& field : kNumbers) known.emplace_back(field.name);
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found unknown field '{}', expected one of {}{}", kWhere, name,
                                                           fmt::join(known, ", "), did_you_mean(name, known)));
    }
  }
  return {};
}

wire::ShadowStats pool(const std::vector<NodeShadow>& nodes) {
  wire::ShadowStats sum;
  for (const NodeShadow& node : nodes) {
    sum.items += node.stats.items;
    sum.agree += node.stats.agree;
    sum.labelled += node.stats.labelled;
    sum.both_right += node.stats.both_right;
    sum.only_current += node.stats.only_current;
    sum.only_candidate += node.stats.only_candidate;
    sum.errors += node.stats.errors;
  }
  return sum;
}

/// The node whose candidate is slowest beside its limit, when that limit is passed.
const NodeShadow* too_slow(const GateOptions& options, const std::vector<NodeShadow>& nodes, GateFigures* figures) {
  const NodeShadow* worst = nullptr;
  double worst_share = -1;
  for (const NodeShadow& node : nodes) {
    const double limit =
        std::max(options.latency_ratio * static_cast<double>(node.stats.current_p99_ns), static_cast<double>(options.latency_floor));
    const double share = static_cast<double>(node.stats.candidate_p99_ns) / std::max(limit, 1.0);
    if (share <= worst_share) continue;
    worst_share = share;
    worst = &node;
    figures->candidate_p99 = node.stats.candidate_p99_ns;
    figures->current_p99 = node.stats.current_p99_ns;
  }
  return worst_share > 1 ? worst : nullptr;
}

/// Figures come from nodes: they must at least add up.
bool add_up(const wire::ShadowStats& stats) {
  const auto at_most = [](std::uint64_t part, std::uint64_t& whole) { return part <= whole && (whole -= part, true); };
  std::uint64_t labelled = stats.labelled;
  return stats.items <= kMostItems * kMostItems && stats.agree <= stats.items && stats.labelled <= stats.items &&
         at_most(stats.both_right, labelled) && at_most(stats.only_current, labelled) && at_most(stats.only_candidate, labelled);
}

struct Verdict {
  bool fails = false;
  bool passes = false;
  std::string reason;
};

Verdict judge_labelled(const GateOptions& options, const wire::ShadowStats& sum, int looks, GateFigures* figures) {
  const auto n = sum.labelled;
  figures->test = "labelled";
  figures->items = n;
  figures->drop = (static_cast<double>(sum.only_current) - static_cast<double>(sum.only_candidate)) / static_cast<double>(n);
  figures->drop_low = paired_interval(n, sum.only_current, sum.only_candidate, options.alpha / looks).low;
  figures->drop_high = paired_interval(n, sum.only_current, sum.only_candidate, options.beta / looks).high;
  Verdict verdict;
  verdict.fails = figures->drop_low > options.allowed_drop;
  verdict.passes = figures->drop_high < options.harmful_drop;
  const std::string text =
      fmt::format("accuracy drop {} on {} labelled live items, bounds {} to {} (only the current model right: {}, only the candidate: {})",
                  percent(figures->drop), n, percent(figures->drop_low), percent(figures->drop_high), sum.only_current, sum.only_candidate);
  verdict.reason = verdict.fails    ? fmt::format("{}; lower bound is above the allowed {}", text, percent(options.allowed_drop))
                   : verdict.passes ? fmt::format("{}; upper bound is below the harmful {}", text, percent(options.harmful_drop))
                                    : fmt::format("{}; undecided between {} allowed and {} harmful", text, percent(options.allowed_drop),
                                                  percent(options.harmful_drop));
  return verdict;
}

Verdict judge_agreement(const GateOptions& options, const wire::ShadowStats& sum, int looks, GateFigures* figures) {
  figures->test = "agreement";
  figures->items = sum.items;
  figures->agree_low = wilson_interval(sum.items, sum.agree, options.beta / looks).low;
  figures->agree_high = wilson_interval(sum.items, sum.agree, options.alpha / looks).high;
  Verdict verdict;
  verdict.fails = figures->agree_high < options.min_agreement;
  verdict.passes = figures->agree_low >= options.min_agreement;
  const std::string text = fmt::format("agreement {} on {} live items without a reference class, bounds {} to {}", percent(figures->agree),
                                       sum.items, percent(figures->agree_low), percent(figures->agree_high));
  verdict.reason = fmt::format("{}; {} {}", text,
                               verdict.fails    ? "upper bound is below"
                               : verdict.passes ? "lower bound reaches"
                                                : "undecided at",
                               percent(options.min_agreement));
  return verdict;
}

/// How many looks `items` are enough for.
int looks_reached(const GateOptions& options, std::uint64_t items) {
  int reached = 0;
  while (reached < gate_looks(options) && items >= gate_look_items(options, reached)) ++reached;
  return reached;
}

}  // namespace

Result<GateOptions> read_gate_options(const Json& object) {
  GateOptions options;
  if (!object.is_object())
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {}, expected an object", kWhere, object.type_name()));
  MORU_RETURN_IF_ERROR(check_names(object));
  MORU_RETURN_IF_ERROR(read_count(object, "min_items", &options.min_items));
  MORU_RETURN_IF_ERROR(read_count(object, "max_items", &options.max_items));
  for (const NumberField& field : kNumbers) MORU_RETURN_IF_ERROR(read_number(object, field, &options));
  if (object.contains("latency_floor_ms")) {
    MORU_ASSIGN_OR_RETURN(const double floor_ms, json_field<double>(object, "latency_floor_ms", kWhere));
    if (!(floor_ms >= 0 && floor_ms <= 3.6e6)) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found latency_floor_ms = {}, expected 0 to 3600000", kWhere, floor_ms));
    }
    options.latency_floor = static_cast<TimeNs>(floor_ms * 1e6);
  }
  if (options.max_items < options.min_items) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found max_items = {}, expected at least min_items = {}", kWhere, options.max_items, options.min_items));
  }
  if (options.harmful_drop <= options.allowed_drop) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found harmful_drop = {}, expected more than allowed_drop = {}", kWhere,
                                                         options.harmful_drop, options.allowed_drop));
  }
  return options;
}

Json write_gate_options(const GateOptions& options) {
  Json object = {{"min_items", options.min_items}, {"max_items", options.max_items}};
  for (const NumberField& field : kNumbers) object[field.name] = options.*field.value;
  object["latency_floor_ms"] = static_cast<double>(options.latency_floor) / 1e6;
  return object;
}

Json write_gate_figures(const GateFigures& figures) {
  const auto microseconds = [](TimeNs time) { return static_cast<double>(time) / 1e3; };
  Json json = {{"test", figures.test}, {"looks_done", figures.looks_done}, {"items", figures.items}, {"errors", figures.errors}};
  if (figures.test == "labelled") {
    json["drop"] = figures.drop;
    json["drop_low"] = figures.drop_low;
    json["drop_high"] = figures.drop_high;
  }
  json["agree"] = figures.agree;
  if (figures.test == "agreement") {
    json["agree_low"] = figures.agree_low;
    json["agree_high"] = figures.agree_high;
  }
  json["candidate_p99_us"] = microseconds(figures.candidate_p99);
  json["current_p99_us"] = microseconds(figures.current_p99);
  return json;
}

int gate_looks(const GateOptions& options) {
  int looks = 1;
  while (gate_look_items(options, looks - 1) < options.max_items) ++looks;
  return looks;
}

std::uint64_t gate_look_items(const GateOptions& options, int index) {
  return std::min(options.max_items, options.min_items << static_cast<unsigned>(std::min(index, 30)));
}

GateResult evaluate_gate(const GateOptions& options, const std::vector<NodeShadow>& nodes, int looks_done) {
  GateResult result;
  result.figures.looks_done = looks_done;
  const wire::ShadowStats sum = pool(nodes);
  result.figures.errors = sum.errors;
  result.figures.items = sum.items;
  if (sum.items > 0) result.figures.agree = static_cast<double>(sum.agree) / static_cast<double>(sum.items);
  const NodeShadow* slow = too_slow(options, nodes, &result.figures);
  for (const NodeShadow& node : nodes) {
    if (add_up(node.stats)) continue;
    result.outcome = GateOutcome::kFail;
    result.reason =
        fmt::format("the figures of node '{}' do not add up: {} items, {} labelled, {} + {} + {} right", node.node, node.stats.items,
                    node.stats.labelled, node.stats.both_right, node.stats.only_current, node.stats.only_candidate);
    return result;
  }
  if (sum.errors > 0) {
    result.outcome = GateOutcome::kFail;
    result.reason = fmt::format("the candidate failed on {} of {} live items", sum.errors, sum.items);
    return result;
  }
  const bool labelled = sum.labelled * 2 >= sum.items;
  const std::uint64_t usable = labelled ? sum.labelled : sum.items;
  result.figures.items = usable;
  const int looks = gate_looks(options);
  const int reached = looks_reached(options, usable);
  if (reached <= looks_done || looks_done >= looks) {
    result.reason =
        fmt::format("{} live items in shadow, next look at {}", usable, gate_look_items(options, std::min(looks_done, looks - 1)));
    return result;
  }
  result.figures.looks_done = reached;
  const Verdict verdict =
      labelled ? judge_labelled(options, sum, looks, &result.figures) : judge_agreement(options, sum, looks, &result.figures);
  result.reason = verdict.reason;
  const bool last = reached == looks;
  if (verdict.fails) {
    result.outcome = GateOutcome::kFail;
  } else if (verdict.passes && slow == nullptr) {
    result.outcome = GateOutcome::kPass;
  } else if (last) {
    result.outcome = GateOutcome::kFail;
    if (!verdict.passes) result.reason += ", and this was the last look";
  }
  if (slow != nullptr && !verdict.fails) {
    result.reason += fmt::format("; on node '{}' the candidate's p99 latency is {}, the current model's {}, allowed {} times that or {}",
                                 slow->node, human_duration_ns(slow->stats.candidate_p99_ns), human_duration_ns(slow->stats.current_p99_ns),
                                 options.latency_ratio, human_duration_ns(options.latency_floor));
  }
  return result;
}

}  // namespace moru::fleet
