// SPDX-License-Identifier: Apache-2.0
// A rollout as JSON: what the store keeps and what the API shows.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "core/json.h"
#include "fleet/hub/rollout/rollout.h"

namespace moru::fleet {
namespace {

constexpr std::string_view kWhere = "rollout";

constexpr std::array<std::pair<NodeStep, const char*>, 5> kSteps = {{
    {NodeStep::kStaging, "staging"},
    {NodeStep::kReady, "ready"},
    {NodeStep::kCommitting, "committing"},
    {NodeStep::kCommitted, "committed"},
    {NodeStep::kFailed, "failed"},
}};
constexpr std::array kStates = {RolloutState::kPending,   RolloutState::kShadowing, RolloutState::kCommitting,
                                RolloutState::kSucceeded, RolloutState::kFailed,    RolloutState::kAborted};

constexpr std::array<std::pair<const char*, std::uint64_t wire::ShadowStats::*>, 7> kCounts = {{
    {"items", &wire::ShadowStats::items},
    {"agree", &wire::ShadowStats::agree},
    {"labelled", &wire::ShadowStats::labelled},
    {"both_right", &wire::ShadowStats::both_right},
    {"only_current", &wire::ShadowStats::only_current},
    {"only_candidate", &wire::ShadowStats::only_candidate},
    {"errors", &wire::ShadowStats::errors},
}};

Json write_shadow(const wire::ShadowStats& shadow) {
  Json json = Json::object();
  for (const auto& [name, value] : kCounts) json[name] = shadow.*value;
  json["current_p99_ns"] = shadow.current_p99_ns;
  json["candidate_p99_ns"] = shadow.candidate_p99_ns;
  return json;
}

Result<wire::ShadowStats> read_shadow(const Json& json) {
  wire::ShadowStats shadow;
  for (const auto& [name, value] : kCounts) {
    MORU_ASSIGN_OR_RETURN(shadow.*value, json_field<std::uint64_t>(json, name, kWhere));
  }
  MORU_ASSIGN_OR_RETURN(shadow.current_p99_ns, json_field<std::int64_t>(json, "current_p99_ns", kWhere));
  MORU_ASSIGN_OR_RETURN(shadow.candidate_p99_ns, json_field<std::int64_t>(json, "candidate_p99_ns", kWhere));
  return shadow;
}

Json write_node(const RolloutNode& node) {
  const char* step = "";
  for (const auto& [value, name] : kSteps) step = value == node.step ? name : step;
  return {{"node", node.name},
          {"phase", node.phase},
          {"reason", node.reason},
          {"wave", node.wave},
          {"step", step},
          {"first_install", node.first_install},
          {"shadow", write_shadow(node.shadow)}};
}

Result<RolloutNode> read_node(const Json& json) {
  RolloutNode node;
  MORU_ASSIGN_OR_RETURN(node.name, json_field<std::string>(json, "node", kWhere));
  MORU_ASSIGN_OR_RETURN(node.phase, json_field<std::string>(json, "phase", kWhere));
  MORU_ASSIGN_OR_RETURN(node.reason, json_field<std::string>(json, "reason", kWhere));
  MORU_ASSIGN_OR_RETURN(node.wave, json_field<int>(json, "wave", kWhere));
  MORU_ASSIGN_OR_RETURN(node.first_install, json_field<bool>(json, "first_install", kWhere));
  MORU_ASSIGN_OR_RETURN(const std::string step, json_field<std::string>(json, "step", kWhere));
  for (const auto& [value, name] : kSteps) {
    if (step == name) node.step = value;
  }
  MORU_ASSIGN_OR_RETURN(const Json shadow, json_field<Json>(json, "shadow", kWhere));
  MORU_ASSIGN_OR_RETURN(node.shadow, read_shadow(shadow));
  return node;
}

/// Of the figures only what the next look needs; the others are measured anew.
Result<GateFigures> read_figures(const Json& json) {
  GateFigures figures;
  MORU_ASSIGN_OR_RETURN(figures.test, json_field<std::string>(json, "test", kWhere));
  MORU_ASSIGN_OR_RETURN(figures.looks_done, json_field<int>(json, "looks_done", kWhere));
  MORU_ASSIGN_OR_RETURN(figures.items, json_field<std::uint64_t>(json, "items", kWhere));
  MORU_ASSIGN_OR_RETURN(figures.errors, json_field<std::uint64_t>(json, "errors", kWhere));
  figures.drop = json.value("drop", 0.0);
  figures.drop_low = json.value("drop_low", 0.0);
  figures.drop_high = json.value("drop_high", 0.0);
  figures.agree = json.value("agree", 0.0);
  figures.agree_low = json.value("agree_low", 0.0);
  figures.agree_high = json.value("agree_high", 0.0);
  figures.candidate_p99 = static_cast<TimeNs>(json.value("candidate_p99_us", 0.0) * 1e3);
  figures.current_p99 = static_cast<TimeNs>(json.value("current_p99_us", 0.0) * 1e3);
  return figures;
}

double seconds(TimeNs time) { return static_cast<double>(time) / 1e9; }
TimeNs from_seconds(double value) { return static_cast<TimeNs>(value * 1e9); }

}  // namespace

Json write_rollout(const Rollout& rollout) {
  Json nodes = Json::array();
  for (const RolloutNode& node : rollout.nodes) nodes.push_back(write_node(node));
  return {{"id", rollout.id},
          {"release", rollout.release},
          {"release_name", rollout.release_name},
          {"state", to_string(rollout.state)},
          {"outcome", rollout.outcome},
          {"reason", rollout.reason},
          {"created", rollout.created},
          {"waves", rollout.waves},
          {"wave", rollout.wave},
          {"gate", write_gate_figures(rollout.figures)},
          {"nodes", std::move(nodes)},
          {"gate_options", write_gate_options(rollout.gate)},
          {"soak_items", rollout.soak_items},
          {"stage_seconds", seconds(rollout.limits.stage)},
          {"gate_seconds", seconds(rollout.limits.gate)},
          {"soak_seconds", seconds(rollout.limits.soak)},
          {"sha256", rollout.sha256},
          {"size", rollout.size}};
}

Result<Rollout> read_rollout(const Json& json) {
  Rollout rollout;
  MORU_ASSIGN_OR_RETURN(rollout.id, json_field<std::string>(json, "id", kWhere));
  MORU_ASSIGN_OR_RETURN(rollout.release, json_field<std::int64_t>(json, "release", kWhere));
  MORU_ASSIGN_OR_RETURN(rollout.release_name, json_field<std::string>(json, "release_name", kWhere));
  MORU_ASSIGN_OR_RETURN(const std::string state, json_field<std::string>(json, "state", kWhere));
  for (const RolloutState value : kStates) {
    if (state == to_string(value)) rollout.state = value;
  }
  MORU_ASSIGN_OR_RETURN(rollout.reason, json_field<std::string>(json, "reason", kWhere));
  MORU_ASSIGN_OR_RETURN(rollout.outcome, json_field<std::string>(json, "outcome", kWhere));
  MORU_ASSIGN_OR_RETURN(rollout.created, json_field<std::int64_t>(json, "created", kWhere));
  MORU_ASSIGN_OR_RETURN(const Json waves, json_field<Json>(json, "waves", kWhere));
  for (const Json& wave : waves) rollout.waves.push_back(wave.is_number() ? wave.get<double>() : 1.0);
  MORU_ASSIGN_OR_RETURN(rollout.wave, json_field<int>(json, "wave", kWhere));
  MORU_ASSIGN_OR_RETURN(const Json figures, json_field<Json>(json, "gate", kWhere));
  MORU_ASSIGN_OR_RETURN(rollout.figures, read_figures(figures));
  MORU_ASSIGN_OR_RETURN(const Json nodes, json_field<Json>(json, "nodes", kWhere));
  for (const Json& entry : nodes) {
    MORU_ASSIGN_OR_RETURN(RolloutNode node, read_node(entry));
    rollout.nodes.push_back(std::move(node));
  }
  MORU_ASSIGN_OR_RETURN(const Json gate, json_field<Json>(json, "gate_options", kWhere));
  MORU_ASSIGN_OR_RETURN(rollout.gate, read_gate_options(gate));
  MORU_ASSIGN_OR_RETURN(rollout.soak_items, json_field<std::int64_t>(json, "soak_items", kWhere));
  MORU_ASSIGN_OR_RETURN(const double stage, json_field<double>(json, "stage_seconds", kWhere));
  MORU_ASSIGN_OR_RETURN(const double gate_time, json_field<double>(json, "gate_seconds", kWhere));
  MORU_ASSIGN_OR_RETURN(const double soak, json_field<double>(json, "soak_seconds", kWhere));
  rollout.limits = {from_seconds(stage), from_seconds(gate_time), from_seconds(soak)};
  MORU_ASSIGN_OR_RETURN(rollout.sha256, json_field<std::string>(json, "sha256", kWhere));
  MORU_ASSIGN_OR_RETURN(rollout.size, json_field<std::uint64_t>(json, "size", kWhere));
  return rollout;
}

}  // namespace moru::fleet
