// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/rollout/controller.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/json.h"
#include "core/log.h"
#include "trust/join_token.h"

namespace moru::fleet {

Result<std::unique_ptr<RolloutController>> RolloutController::create(Store& store, const Clock& clock, ControllerHooks hooks) {
  std::unique_ptr<RolloutController> controller(new RolloutController(store, clock, std::move(hooks)));
  MORU_RETURN_IF_ERROR(controller->load());
  return controller;
}

RolloutController::RolloutController(Store& store, const Clock& clock, ControllerHooks hooks)
    : store_(store), clock_(clock), hooks_(std::move(hooks)) {}

Status RolloutController::load() {
  MORU_ASSIGN_OR_RETURN(const auto rows, store_.rollouts());
  for (const RolloutRow& row : rows) {
    MORU_ASSIGN_OR_RETURN(const Json json, parse_json(row.body, "hub database: rollout " + row.id));
    MORU_ASSIGN_OR_RETURN_IN("hub database: " + row.id, Rollout rollout, read_rollout(json));
    rollout.since = clock_.steady_now();
    rollouts_.push_back(std::move(rollout));
  }
  MORU_ASSIGN_OR_RETURN(const auto wishes, store_.desired());
  for (const DesiredRow& row : wishes) desired_[row.node] = row.desired;
  return {};
}

/// Disk first, then the network: a hub that dies in between sends the same again at its next start.
Status RolloutController::keep(const Rollout& rollout, const Step& step) {
  std::vector<DesiredRow> wishes;
  for (const NodeOrder& order : step.orders) {
    wire::Desired desired = desired_[order.node];
    ++desired.generation;
    desired.deployment = deployment_of(rollout, order.action);
    wishes.push_back({order.node, std::move(desired)});
  }
  const Json json = write_rollout(rollout);
  std::optional<HistoryRow> entry;
  if (step.entered) {
    entry =
        HistoryRow{clock_.wall_now(), std::string(to_string(rollout.state)), rollout.reason, write_gate_figures(rollout.figures).dump()};
  }
  const std::string body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  MORU_RETURN_IF_ERROR(store_.save_rollout({rollout.id, rollout.release, !is_over(rollout.state), body}, entry, wishes));
  for (const DesiredRow& wish : wishes) {
    desired_[wish.node] = wish.desired;
    hooks_.send(wish.node, wish.desired);
  }
  if (step.entered) {
    MORU_LOG(kInfo, "rollout", "id", rollout.id, "release", rollout.release, "state", to_string(rollout.state), "reason", rollout.reason);
  }
  hooks_.changed(json);
  return {};
}

Result<std::vector<RolloutNode>> RolloutController::choose_nodes(const RolloutRequest& request, const NodeViews& views) const {
  MORU_ASSIGN_OR_RETURN(const auto joined, store_.nodes());
  std::vector<std::string> names = request.nodes;
  if (names.empty()) {
    for (const NodeRow& row : joined) names.push_back(row.name);
  }
  if (names.empty())
    return fail(ErrorCode::kInvalidArgument, "rollout: found no node, expected at least one that has joined; make a token: moru hub token");
  std::vector<RolloutNode> nodes;
  for (const std::string& name : names) {
    if (std::none_of(joined.begin(), joined.end(), [&](const NodeRow& row) { return row.name == name; })) {
      return fail(ErrorCode::kNotFound, fmt::format("rollout: node '{}' has not joined; see: moru node list", name));
    }
    if (std::any_of(nodes.begin(), nodes.end(), [&](const RolloutNode& node) { return node.name == name; })) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("rollout: found node '{}' twice, expected each once", name));
    }
    for (const Rollout& other : rollouts_) {
      const bool has = std::any_of(other.nodes.begin(), other.nodes.end(), [&](const RolloutNode& node) { return node.name == name; });
      if (has && !is_over(other.state)) {
        return fail(
            ErrorCode::kResourceExhausted,
            fmt::format("rollout: node '{}' takes part in rollout {}, expected none; wait for its end or abort it", name, other.id));
      }
    }
    RolloutNode node;
    node.name = name;
    const auto view = views.find(name);
    const std::int64_t current = view != views.end() && view->second.state ? view->second.state->release : 0;
    node.first_install = current == 0;
    if (current == request.release) {
      node.step = NodeStep::kCommitted;
      node.phase = "committed";
    }
    nodes.push_back(std::move(node));
  }
  return nodes;
}

Result<std::string> RolloutController::start(const RolloutRequest& request, const NodeViews& views) {
  MORU_ASSIGN_OR_RETURN(const auto release, store_.release(request.release));
  if (!release) {
    return fail(ErrorCode::kNotFound,
                fmt::format("rollout: release {} is not on this hub; push it: moru release push FILE", request.release));
  }
  const std::lock_guard lock(mutex_);
  Rollout rollout;
  MORU_ASSIGN_OR_RETURN(rollout.nodes, choose_nodes(request, views));
  MORU_ASSIGN_OR_RETURN(const std::int64_t number, store_.next_rollout_number());
  // Nodes remember ids that they refused: one of another hub, or of one that was set up again, must not match.
  MORU_ASSIGN_OR_RETURN(const std::string random, trust::random_hex(4));
  rollout.id = fmt::format("r{}-{}", number, random);
  rollout.release = release->release;
  rollout.release_name = release->name;
  rollout.sha256 = release->sha256;
  rollout.size = release->size;
  rollout.created = clock_.wall_now();
  rollout.waves = request.waves;
  rollout.soak_items = request.soak_items;
  rollout.gate = request.gate;
  rollout.limits = request.limits;
  const Step step = begin_rollout(&rollout, clock_.steady_now());
  MORU_RETURN_IF_ERROR(keep(rollout, step));
  rollouts_.push_back(std::move(rollout));
  return rollouts_.back().id;
}

Status RolloutController::abort_rollout(const std::string& id, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  const auto it = std::find_if(rollouts_.begin(), rollouts_.end(), [&](const Rollout& rollout) { return rollout.id == id; });
  if (it == rollouts_.end())
    return fail(ErrorCode::kNotFound, fmt::format("rollout '{}': there is none of that id; see: moru rollout list", id));
  if (is_over(it->state)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("rollout '{}': it has {}, expected one that is under way", id, to_string(it->state)));
  }
  Rollout next = *it;
  const Step step = fleet::abort_rollout(&next, reason);
  MORU_RETURN_IF_ERROR(keep(next, step));
  *it = std::move(next);
  return {};
}

Status RolloutController::drain(const std::string& node, std::uint64_t at) {
  const std::lock_guard lock(mutex_);
  wire::Desired desired;
  if (const auto it = desired_.find(node); it != desired_.end()) desired = it->second;
  ++desired.generation;
  desired.drain_at = at;
  MORU_RETURN_IF_ERROR(store_.save_desired({node, desired}));
  desired_[node] = desired;
  hooks_.send(node, desired);
  return {};
}

void RolloutController::tick(const NodeViews& views) {
  const std::lock_guard lock(mutex_);
  for (Rollout& rollout : rollouts_) {
    if (is_settled(rollout)) continue;
    Rollout next = rollout;
    const Step step = advance_rollout(&next, views, clock_.steady_now());
    if (!step.entered && !step.settled && step.orders.empty()) {
      // Counts only: nodes say them again after a restart, so they need no fsync.
      rollout = std::move(next);
      if (step.changed) hooks_.changed(write_rollout(rollout));
      continue;
    }
    if (const Status kept = keep(next, step); !kept) {
      // Nothing was told to anybody; the next tick tries the same again.
      MORU_LOG(kError, "rollout step not stored", "id", rollout.id, "error", kept.error().message);
      continue;
    }
    rollout = std::move(next);
  }
}

void RolloutController::resend() {
  const std::lock_guard lock(mutex_);
  for (const auto& [node, desired] : desired_) hooks_.send(node, desired);
}

Json RolloutController::list() const {
  const std::lock_guard lock(mutex_);
  Json all = Json::array();
  for (const Rollout& rollout : rollouts_) all.push_back(write_rollout(rollout));
  return all;
}

Result<Json> RolloutController::show(const std::string& id) const {
  Json json;
  {
    const std::lock_guard lock(mutex_);
    const auto it = std::find_if(rollouts_.begin(), rollouts_.end(), [&](const Rollout& rollout) { return rollout.id == id; });
    if (it == rollouts_.end())
      return fail(ErrorCode::kNotFound, fmt::format("rollout '{}': there is none of that id; see: moru rollout list", id));
    json = write_rollout(*it);
  }
  MORU_ASSIGN_OR_RETURN(const auto entries, store_.history(id));
  Json history = Json::array();
  for (const HistoryRow& entry : entries) {
    MORU_ASSIGN_OR_RETURN(Json figures, parse_json(entry.figures, "rollout history"));
    history.push_back({{"at", entry.at}, {"state", entry.state}, {"reason", entry.reason}, {"gate", std::move(figures)}});
  }
  json["history"] = std::move(history);
  return json;
}

}  // namespace moru::fleet
