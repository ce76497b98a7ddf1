// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/rollout/rollout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace moru::fleet {
namespace {

using wire::DeploymentPhase;

void enter(Rollout* rollout, RolloutState state, std::string reason, TimeNs now, Step* step) {
  rollout->state = state;
  rollout->reason = std::move(reason);
  rollout->since = now;
  step->entered = true;
  step->changed = true;
}

/// Ends without success: nodes that have not committed return to what they had.
void end(Rollout* rollout, RolloutState state, const char* outcome, std::string reason, TimeNs now, Step* step) {
  const auto committed = std::count_if(rollout->nodes.begin(), rollout->nodes.end(),
                                       [](const RolloutNode& node) { return node.step == NodeStep::kCommitted; });
  if (committed > 0) reason += fmt::format("; {} of {} nodes had committed and keep the release", committed, rollout->nodes.size());
  for (RolloutNode& node : rollout->nodes) {
    if (node.step == NodeStep::kCommitted || node.step == NodeStep::kFailed) continue;
    step->orders.push_back({node.name, "abort"});
    node.phase = kToldToAbort;
    node.reason.clear();
  }
  rollout->outcome = outcome;
  enter(rollout, state, std::move(reason), now, step);
}

/// Why a node's report ends the rollout; empty: it does not.
struct Refusal {
  const char* outcome = "";
  std::string reason;
};

/// Takes over what a node says of this rollout.
Refusal take_report(const wire::NodeState::DeploymentState& report, RolloutNode* node, Step* step) {
  const std::string phase(to_string(report.phase));
  if (phase != node->phase || report.reason != node->reason || report.shadow.items != node->shadow.items) step->changed = true;
  node->phase = phase;
  node->reason = report.reason;
  node->shadow = report.shadow;
  switch (report.phase) {
    case DeploymentPhase::kShadowing:
      if (node->step == NodeStep::kStaging) node->step = NodeStep::kReady;
      return {};
    case DeploymentPhase::kCommitted: node->step = NodeStep::kCommitted; return {};
    case DeploymentPhase::kRefused:
      node->step = NodeStep::kFailed;
      return {"refused", fmt::format("node '{}' refused the release: {}", node->name, report.reason)};
    case DeploymentPhase::kRolledBack:
      node->step = NodeStep::kFailed;
      return {"rolled back", fmt::format("node '{}' rolled back: {}", node->name, report.reason)};
    case DeploymentPhase::kAborted:
      node->step = NodeStep::kFailed;
      return {"refused", fmt::format("node '{}' gave up: {}", node->name, report.reason)};
    case DeploymentPhase::kFetching:
    case DeploymentPhase::kVerifying:
    case DeploymentPhase::kWarmingUp:
    case DeploymentPhase::kSoaking: break;
  }
  return {};
}

Refusal take_reports(Rollout* rollout, const NodeViews& views, Step* step) {
  Refusal first;
  for (RolloutNode& node : rollout->nodes) {
    const auto view = views.find(node.name);
    if (view == views.end() || !view->second.state) continue;
    const wire::NodeState& state = *view->second.state;
    if (node.step == NodeStep::kCommitted || !state.deployment || state.deployment->id != rollout->id) continue;
    Refusal refusal = take_report(*state.deployment, &node, step);
    if (first.reason.empty()) first = std::move(refusal);
  }
  return first;
}

bool is_ending(DeploymentPhase phase) {
  return phase == DeploymentPhase::kCommitted || phase == DeploymentPhase::kAborted || phase == DeploymentPhase::kRolledBack ||
         phase == DeploymentPhase::kRefused;
}

/// After the rollout's end: how each node took the order to abort. One may have committed before it heard of it.
void take_endings(Rollout* rollout, const NodeViews& views, Step* step) {
  for (RolloutNode& node : rollout->nodes) {
    const auto view = views.find(node.name);
    if (node.phase != kToldToAbort || view == views.end() || !view->second.state) continue;
    const auto& report = view->second.state->deployment;
    if (!report) continue;
    if (report->id != rollout->id && node.step >= NodeStep::kReady) {
      // It was with this rollout and is with a later one now, before it said more.
      const bool has_it = view->second.state->release == rollout->release;
      node.phase = to_string(has_it ? DeploymentPhase::kCommitted : DeploymentPhase::kAborted);
      node.reason = has_it ? "" : "the hub ended the rollout";
      step->changed = step->settled = true;
    }
    if (report->id != rollout->id || !is_ending(report->phase)) continue;
    const wire::ShadowStats judged = node.shadow;  // a node that was started again has none
    take_report(*report, &node, step);
    node.shadow = judged;
    step->settled = true;
  }
}

/// "node 'a' is fetching, node 'b' is offline": those that keep the others waiting.
std::string laggards(const Rollout& rollout, const NodeViews& views, NodeStep wanted, int wave) {
  std::string text;
  for (const RolloutNode& node : rollout.nodes) {
    if (node.step >= wanted || node.wave > wave) continue;
    const auto view = views.find(node.name);
    const bool online = view != views.end() && view->second.online;
    text += fmt::format("{}node '{}' is {}", text.empty() ? "" : ", ", node.name, online ? node.phase : "offline");
  }
  return text;
}

bool all_at(const Rollout& rollout, NodeStep wanted, int wave) {
  return std::all_of(rollout.nodes.begin(), rollout.nodes.end(),
                     [&](const RolloutNode& node) { return node.wave > wave || node.step >= wanted; });
}

int last_wave(const Rollout& rollout) { return static_cast<int>(rollout.waves.size()) - 1; }

/// Commits the next wave that has nodes, or ends well behind the last one.
void next_wave(Rollout* rollout, TimeNs now, Step* step) {
  while (true) {
    ++rollout->wave;
    if (rollout->wave > last_wave(*rollout)) {
      rollout->outcome = "succeeded";
      enter(rollout, RolloutState::kSucceeded, fmt::format("committed on {} of {} nodes", rollout->nodes.size(), rollout->nodes.size()),
            now, step);
      return;
    }
    int told = 0;
    for (RolloutNode& node : rollout->nodes) {
      if (node.wave != rollout->wave || node.step == NodeStep::kCommitted) continue;
      node.step = NodeStep::kCommitting;
      step->orders.push_back({node.name, "commit"});
      ++told;
    }
    if (told == 0) continue;
    enter(rollout, RolloutState::kCommitting, fmt::format("wave {} of {}: {} nodes commit", rollout->wave + 1, rollout->waves.size(), told),
          now, step);
    return;
  }
}

std::vector<NodeShadow> shadows(const Rollout& rollout) {
  std::vector<NodeShadow> figures;
  for (const RolloutNode& node : rollout.nodes) {
    if (!node.first_install && node.step == NodeStep::kReady) figures.push_back({node.name, node.shadow});
  }
  return figures;
}

void advance_gate(Rollout* rollout, TimeNs now, Step* step) {
  const auto figures = shadows(*rollout);
  const GateResult result = evaluate_gate(rollout->gate, figures, rollout->figures.looks_done);
  const bool looked = result.figures.looks_done != rollout->figures.looks_done;
  // Between two looks the bounds of the last one stay; counts go on.
  if (looked || rollout->figures.looks_done == 0) rollout->figures = result.figures;
  if (result.outcome == GateOutcome::kFail) {
    rollout->figures = result.figures;
    return end(rollout, RolloutState::kFailed, "failed at the gate", "gate: " + result.reason, now, step);
  }
  if (result.outcome == GateOutcome::kPass) {
    next_wave(rollout, now, step);
    rollout->reason = "gate: " + result.reason + "; " + rollout->reason;
    return;
  }
  if (rollout->reason != result.reason) step->changed = true;
  rollout->reason = result.reason;
  if (looked) step->entered = true;
  if (now - rollout->since < rollout->limits.gate) return;
  std::uint64_t items = 0;
  for (const NodeShadow& node : figures) items += node.stats.items;
  end(rollout, RolloutState::kFailed, "failed at the gate",
      fmt::format("gate: undecided after {}: {} live items in shadow, expected at least {}; {}", human_duration_ns(rollout->limits.gate),
                  items, gate_look_items(rollout->gate, std::min(rollout->figures.looks_done, gate_looks(rollout->gate) - 1)),
                  result.reason),
      now, step);
}

void advance_pending(Rollout* rollout, const NodeViews& views, TimeNs now, Step* step) {
  if (all_at(*rollout, NodeStep::kReady, last_wave(*rollout))) {
    if (shadows(*rollout).empty()) return next_wave(rollout, now, step);
    enter(rollout, RolloutState::kShadowing, "all nodes are staged; the gate watches live items", now, step);
    return;
  }
  if (now - rollout->since < rollout->limits.stage) return;
  end(rollout, RolloutState::kFailed, "timed out",
      fmt::format("not staged within {}: {}", human_duration_ns(rollout->limits.stage),
                  laggards(*rollout, views, NodeStep::kReady, last_wave(*rollout))),
      now, step);
}

void advance_committing(Rollout* rollout, const NodeViews& views, TimeNs now, Step* step) {
  if (all_at(*rollout, NodeStep::kCommitted, rollout->wave)) return next_wave(rollout, now, step);
  if (now - rollout->since < rollout->limits.soak) return;
  end(rollout, RolloutState::kFailed, "timed out",
      fmt::format("wave {} not committed within {}: {}", rollout->wave + 1, human_duration_ns(rollout->limits.soak),
                  laggards(*rollout, views, NodeStep::kCommitted, rollout->wave)),
      now, step);
}

}  // namespace

std::string_view to_string(RolloutState state) {
  switch (state) {
    case RolloutState::kPending: return "pending";
    case RolloutState::kShadowing: return "shadowing";
    case RolloutState::kCommitting: return "committing";
    case RolloutState::kSucceeded: return "succeeded";
    case RolloutState::kFailed: return "failed";
    case RolloutState::kAborted: return "aborted";
  }
  return "unknown";
}

void assign_waves(Rollout* rollout) {
  const auto count = static_cast<double>(rollout->nodes.size());
  for (std::size_t i = 0; i < rollout->nodes.size(); ++i) {
    int wave = 0;
    while (wave < last_wave(*rollout) && std::ceil(rollout->waves[static_cast<std::size_t>(wave)] * count - 1e-9) <= static_cast<double>(i))
      ++wave;
    rollout->nodes[i].wave = wave;
  }
}

Step begin_rollout(Rollout* rollout, TimeNs now) {
  Step step;
  assign_waves(rollout);
  for (RolloutNode& node : rollout->nodes) {
    if (node.step == NodeStep::kStaging) step.orders.push_back({node.name, "stage"});
  }
  enter(rollout, RolloutState::kPending, fmt::format("staging on {} nodes", step.orders.size()), now, &step);
  return step;
}

bool is_settled(const Rollout& rollout) {
  return is_over(rollout.state) &&
         std::none_of(rollout.nodes.begin(), rollout.nodes.end(), [](const RolloutNode& node) { return node.phase == kToldToAbort; });
}

Step advance_rollout(Rollout* rollout, const NodeViews& views, TimeNs now) {
  Step step;
  if (is_over(rollout->state)) {
    take_endings(rollout, views, &step);
    return step;
  }
  if (Refusal refusal = take_reports(rollout, views, &step); !refusal.reason.empty()) {
    end(rollout, RolloutState::kFailed, refusal.outcome, std::move(refusal.reason), now, &step);
    return step;
  }
  switch (rollout->state) {
    case RolloutState::kPending: advance_pending(rollout, views, now, &step); break;
    case RolloutState::kShadowing: advance_gate(rollout, now, &step); break;
    case RolloutState::kCommitting: advance_committing(rollout, views, now, &step); break;
    case RolloutState::kSucceeded:
    case RolloutState::kFailed:
    case RolloutState::kAborted: break;
  }
  return step;
}

Step abort_rollout(Rollout* rollout, const std::string& reason) {
  Step step;
  if (!is_over(rollout->state)) end(rollout, RolloutState::kAborted, "aborted", reason, rollout->since, &step);
  return step;
}

wire::Desired::Deployment deployment_of(const Rollout& rollout, std::string_view action) {
  return {.id = rollout.id,
          .release = rollout.release,
          .url = fmt::format("/v1/releases/{}/bundle", rollout.release),
          .sha256 = rollout.sha256,
          .size = rollout.size,
          .action = std::string(action),
          .soak_items = rollout.soak_items};
}

}  // namespace moru::fleet
