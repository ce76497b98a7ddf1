// SPDX-License-Identifier: Apache-2.0
// Nodes, rollouts, records: what an operator looks at and decides.
#include <fmt/format.h>

#include <charconv>

#include "core/json.h"
#include "fleet/hub/api/endpoints.h"

namespace moru::fleet {
namespace {

constexpr std::int64_t kMostRecords = 5000;

std::string query_text(const HttpRequest& request, std::string_view name) {
  const auto it = request.query.find(name);
  return it == request.query.end() ? std::string() : it->second;
}

/// A number of the query in a range; `fallback` when it is absent.
Result<std::int64_t> query_number(const HttpRequest& request, std::string_view name, std::int64_t fallback, std::int64_t max) {
  const auto it = request.query.find(name);
  if (it == request.query.end()) return fallback;
  std::int64_t value = -1;
  const char* last = it->second.data() + it->second.size();
  const auto [end, error] = std::from_chars(it->second.data(), last, value);
  if (error != std::errc{} || end != last || value < 0 || value > max) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("records: found {} = '{}', expected 0 to {}", name, it->second, max));
  }
  return value;
}

}  // namespace

HttpResponse get_nodes(const ApiContext& context, const HttpRequest&, const std::string&) {
  return http_json({{"nodes", context.nodes.list()}});
}

HttpResponse get_node(const ApiContext& context, const HttpRequest&, const std::string& part) {
  auto node = context.nodes.show(part);
  if (!node) return http_failure(node.error());
  Json deployments = Json::array();
  for (const Json& rollout : context.rollouts.list()) {
    for (const Json& entry : rollout["nodes"]) {
      if (entry["node"] == part) {
        deployments.push_back({{"rollout", rollout["id"]},
                               {"release", rollout["release"]},
                               {"state", rollout["state"]},
                               {"phase", entry["phase"]},
                               {"reason", entry["reason"]}});
      }
    }
  }
  (*node)["deployments"] = std::move(deployments);
  return http_json(*node);
}

HttpResponse post_drain(const ApiContext& context, const HttpRequest& request, const std::string& part) {
  const auto json = parse_json(request.body, "drain");
  if (!json) return http_failure(json.error());
  const auto at = json_field<std::uint64_t>(*json, "at", "drain");
  if (!at) return http_failure(at.error());
  if (*at > (std::uint64_t{1} << 53U)) return http_error(400, fmt::format("drain: found at = {}, expected at most 2^53", *at));
  const auto done = context.rollouts.drain(part, *at);
  return done ? http_json({{"node", part}, {"drain_at", *at}}) : http_failure(done.error());
}

HttpResponse post_rollout(const ApiContext& context, const HttpRequest& request, const std::string&) {
  const auto json = parse_json(request.body, "rollout");
  if (!json) return http_failure(json.error());
  const auto wanted = read_rollout_request(*json);
  if (!wanted) return http_failure(wanted.error());
  const auto id = context.rollouts.start(*wanted, context.nodes.views());
  return id ? http_json({{"id", *id}}) : http_failure(id.error());
}

HttpResponse get_rollouts(const ApiContext& context, const HttpRequest&, const std::string&) {
  return http_json({{"rollouts", context.rollouts.list()}});
}

HttpResponse get_rollout(const ApiContext& context, const HttpRequest&, const std::string& part) {
  const auto rollout = context.rollouts.show(part);
  return rollout ? http_json(*rollout) : http_failure(rollout.error());
}

HttpResponse post_abort(const ApiContext& context, const HttpRequest& request, const std::string& part) {
  const auto json = parse_json(request.body, "abort");
  if (!json) return http_failure(json.error());
  const auto reason = json_field<std::string>(*json, "reason", "abort");
  if (!reason) return http_failure(reason.error());
  if (reason->empty() || reason->size() > 1000) return http_error(400, "abort: field 'reason' must have 1 to 1000 bytes");
  const auto done = context.rollouts.abort_rollout(part, "the operator aborted it: " + *reason);
  return done ? http_json({{"id", part}, {"state", "aborted"}}) : http_failure(done.error());
}

Json describe_record(const RecordRow& record) {
  Json body = Json::parse(record.body, nullptr, false);
  return {{"rowid", record.row},         {"node", record.node}, {"stream", record.stream},
          {"sequence", record.sequence}, {"kind", record.kind}, {"body", body.is_discarded() ? Json(record.body) : std::move(body)},
          {"stored_at", record.received}};
}

HttpResponse get_records(const ApiContext& context, const HttpRequest& request, const std::string&) {
  RecordFilter filter;
  filter.kind = query_text(request, "kind");
  filter.node = query_text(request, "node");
  if (!filter.kind.empty() && filter.kind != "alert" && filter.kind != "result" && filter.kind != "lost") {
    return http_error(400, "records: field 'kind' is unknown, expected alert, result or lost");
  }
  const auto limit = query_number(request, "limit", 100, kMostRecords);
  if (!limit) return http_failure(limit.error());
  filter.limit = *limit;
  const auto after = query_number(request, "after", 0, std::numeric_limits<std::int64_t>::max());
  if (!after) return http_failure(after.error());
  if (request.query.contains("after")) filter.after = *after;
  const auto rows = context.store.records(filter);
  if (!rows) return http_failure(rows.error());
  Json records = Json::array();
  for (const RecordRow& row : *rows) records.push_back(describe_record(row));
  return http_json({{"records", std::move(records)}, {"next", rows->empty() ? *after : rows->back().row}});
}

HttpResponse get_summary(const ApiContext& context, const HttpRequest&, const std::string&) {
  const auto counts = context.store.counts();
  if (!counts) return http_failure(counts.error());
  std::uint64_t alerts = 0;
  std::uint64_t records = 0;
  Json streams = Json::array();
  for (const CountRow& row : *counts) {
    records += row.records;
    if (row.kind == "alert") alerts += row.records;
    streams.push_back({{"node", row.node}, {"stream", row.stream}, {"kind", row.kind}, {"records", row.records}});
  }
  const auto totals = context.nodes.totals();
  return http_json({{"nodes", totals.nodes},
                    {"online", totals.online},
                    {"items_per_second", totals.items_per_second},
                    {"items", totals.items},
                    {"missed", totals.missed},
                    {"alerts", alerts},
                    {"records", records},
                    {"streams", std::move(streams)},
                    {"broker", context.broker_status()}});
}

HttpResponse get_events(const ApiContext&, const HttpRequest&, const std::string&) {
  HttpResponse response;
  response.events = true;
  return response;
}

}  // namespace moru::fleet
