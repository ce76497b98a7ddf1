// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/json.h"
#include "core/text.h"
#include "fleet/hub/rollout/controller.h"

namespace moru::fleet {
namespace {

constexpr std::string_view kWhere = "rollout";
constexpr std::size_t kMaxNodes = 10'000;
constexpr std::size_t kMaxWaves = 20;

Result<std::vector<std::string>> read_names(const Json& json) {
  std::vector<std::string> names;
  if (!json.is_array() || json.empty() || json.size() > kMaxNodes) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: field 'nodes' must be a list of 1 to {} names; leave it out for all nodes", kWhere, kMaxNodes));
  }
  for (const Json& name : json) {
    if (!name.is_string() || !wire::valid_node_name(name.get_ref<const std::string&>())) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: field 'nodes' holds something that is no node's name", kWhere));
    }
    names.push_back(name.get<std::string>());
  }
  return names;
}

Result<std::vector<double>> read_waves(const Json& json) {
  std::vector<double> waves;
  bool good = json.is_array() && !json.empty() && json.size() <= kMaxWaves;
  for (std::size_t i = 0; good && i < json.size(); ++i) {
    good = json[i].is_number();
    if (good) waves.push_back(json[i].get<double>());
    good = good && waves[i] > (i == 0 ? 0.0 : waves[i - 1]) && waves[i] <= 1.0;
  }
  if (!good || waves.back() != 1.0) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: field 'waves' must be growing shares of the nodes that end with 1, such as [0.5, 1.0]", kWhere));
  }
  return waves;
}

Status read_limit(const Json& json, const char* name, TimeNs* out) {
  if (!json.contains(name)) return {};
  MORU_ASSIGN_OR_RETURN(const double seconds, json_field<double>(json, name, kWhere));
  if (!(seconds >= 1 && seconds <= 86400)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} = {}, expected 1 to 86400", kWhere, name, seconds));
  }
  *out = static_cast<TimeNs>(seconds * 1e9);
  return {};
}

}  // namespace

Result<RolloutRequest> read_rollout_request(const Json& json) {
  static const std::vector<std::string> kKnown = {"release",    "nodes",         "waves",        "gate",
                                                  "soak_items", "stage_seconds", "gate_seconds", "soak_seconds"};
  RolloutRequest request;
  MORU_ASSIGN_OR_RETURN(request.release, json_field<std::int64_t>(json, "release", kWhere));
  for (const auto& [name, value] : json.items()) {
    if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found unknown field '{}', expected one of {}{}", kWhere, name,
                                                           fmt::join(kKnown, ", "), did_you_mean(name, kKnown)));
    }
  }
  if (json.contains("nodes")) {
    MORU_ASSIGN_OR_RETURN(request.nodes, read_names(json["nodes"]));
  }
  if (json.contains("waves")) {
    MORU_ASSIGN_OR_RETURN(request.waves, read_waves(json["waves"]));
  }
  if (json.contains("gate")) {
    MORU_ASSIGN_OR_RETURN(request.gate, read_gate_options(json["gate"]));
  }
  if (json.contains("soak_items")) {
    MORU_ASSIGN_OR_RETURN(request.soak_items, json_field<std::int64_t>(json, "soak_items", kWhere));
    if (request.soak_items < 1 || request.soak_items > 1'000'000) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found soak_items = {}, expected 1 to 1000000", kWhere, request.soak_items));
    }
  }
  MORU_RETURN_IF_ERROR(read_limit(json, "stage_seconds", &request.limits.stage));
  MORU_RETURN_IF_ERROR(read_limit(json, "gate_seconds", &request.limits.gate));
  MORU_RETURN_IF_ERROR(read_limit(json, "soak_seconds", &request.limits.soak));
  return request;
}

}  // namespace moru::fleet
