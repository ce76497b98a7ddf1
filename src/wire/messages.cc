// SPDX-License-Identifier: Apache-2.0
#include "wire/messages.h"

#include <array>
#include <limits>

#include "core/json.h"
#include "core/text.h"
#include "wire/message_fields.h"

namespace moru::wire {
namespace {

// Bounds of what is taken from the network. Generous against real use, small against harm.
constexpr std::size_t kMaxMessageBytes = std::size_t{8} << 20U;
constexpr std::size_t kMaxRecords = 10'000;
constexpr std::size_t kMaxBodyBytes = 16 * 1024;
constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxTextBytes = 4096;
constexpr std::size_t kMaxWrittenBytes = 1024;
constexpr std::size_t kMaxLinks = 256;
constexpr std::size_t kMaxReasons = 64;
constexpr std::uint64_t kMaxBundleBytes = std::uint64_t{1} << 32U;
constexpr std::int64_t kMaxSoakItems = 1'000'000;

constexpr std::array<std::pair<DeploymentPhase, std::string_view>, 9> kPhases = {{
    {DeploymentPhase::kFetching, "fetching"},
    {DeploymentPhase::kVerifying, "verifying"},
    {DeploymentPhase::kWarmingUp, "warming up"},
    {DeploymentPhase::kShadowing, "shadowing"},
    {DeploymentPhase::kSoaking, "soaking"},
    {DeploymentPhase::kCommitted, "committed"},
    {DeploymentPhase::kAborted, "aborted"},
    {DeploymentPhase::kRolledBack, "rolled back"},
    {DeploymentPhase::kRefused, "refused"},
}};

/// Text that came from elsewhere (an error message, say) may hold broken UTF-8: it is replaced, never thrown about.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// Free text is cut so that readers take it even when every byte of it is replaced by U+FFFD (three bytes).
std::string clip(std::string_view text) { return std::string(text.substr(0, kMaxWrittenBytes)); }

Result<Json> parse(std::string_view text, std::string_view where) {
  if (text.size() > kMaxMessageBytes) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} bytes, expected at most {}", where, text.size(), kMaxMessageBytes));
  }
  return parse_json(text, where);
}

Json write_ledger(const LinkLedger& link) {
  Json dropped = Json::object();
  for (const auto& [reason, count] : link.dropped) dropped[reason] = count;
  return Json{{"link", link.link},           {"in", link.in},         {"out", link.out},
              {"in_flight", link.in_flight}, {"stored", link.stored}, {"dropped", std::move(dropped)}};
}

Status read_ledger(const Json& json, const std::string& where, LinkLedger& link) {
  Fields fields(json, where);
  link.link = fields.text("link", kMaxTextBytes);
  link.in = fields.count("in");
  link.out = fields.count("out");
  link.in_flight = fields.count("in_flight");
  link.stored = fields.count("stored");
  if (const Json* dropped = fields.child("dropped", false); dropped != nullptr) {
    if (dropped->size() > kMaxReasons) {
      fields.note(fmt::format("{}: found {} reasons, expected at most {}", fields.where("dropped"), dropped->size(), kMaxReasons));
    } else {
      Fields reasons(*dropped, fields.where("dropped"));
      for (const auto& [reason, count] : dropped->items()) {
        if (reason.size() > kMaxTextBytes)
          reasons.note(fmt::format("{}: found a reason of {} bytes, expected at most {}", where, reason.size(), kMaxTextBytes));
        link.dropped.emplace_back(reason, reasons.count(reason));
      }
      fields.note(reasons.status());
    }
  }
  return fields.status();
}

Json write_shadow(const ShadowStats& shadow) {
  return Json{{"items", shadow.items},
              {"agree", shadow.agree},
              {"labelled", shadow.labelled},
              {"both_right", shadow.both_right},
              {"only_current", shadow.only_current},
              {"only_candidate", shadow.only_candidate},
              {"errors", shadow.errors},
              {"current_p99_ns", shadow.current_p99_ns},
              {"candidate_p99_ns", shadow.candidate_p99_ns}};
}

/// The counts decide a gate, so they must add up, not only be numbers.
Status read_shadow(const Json& json, const std::string& where, ShadowStats& shadow) {
  Fields fields(json, where);
  shadow.items = fields.count("items");
  shadow.agree = fields.count("agree");
  shadow.labelled = fields.count("labelled");
  shadow.both_right = fields.count("both_right");
  shadow.only_current = fields.count("only_current");
  shadow.only_candidate = fields.count("only_candidate");
  shadow.errors = fields.count("errors");
  shadow.current_p99_ns = fields.time("current_p99_ns");
  shadow.candidate_p99_ns = fields.time("candidate_p99_ns");
  MORU_RETURN_IF_ERROR(fields.status());
  if (shadow.agree > shadow.items || shadow.labelled > shadow.items || shadow.errors > shadow.items ||
      shadow.both_right + shadow.only_current + shadow.only_candidate > shadow.labelled) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: counts do not add up, expected agree, labelled and errors within items and "
                                                         "the right ones within labelled",
                                                         where));
  }
  return {};
}

Status read_deployment_state(const Json& json, const std::string& where, NodeState::DeploymentState& deployment) {
  Fields fields(json, where);
  deployment.id = fields.name("id");
  deployment.release = fields.integer("release", 1, std::numeric_limits<std::int64_t>::max());
  const std::string phase = fields.text("phase", kMaxNameBytes);
  bool known = false;
  for (const auto& [value, name] : kPhases) {
    if (name != phase) continue;
    deployment.phase = value;
    known = true;
  }
  if (!known) fields.note(fmt::format("{}: field 'phase' is no phase of a deployment, expected one", where));
  deployment.reason = fields.text("reason", kMaxTextBytes);
  if (const Json* shadow = fields.child("shadow", false); shadow != nullptr)
    fields.note(read_shadow(*shadow, fields.where("shadow"), deployment.shadow));
  return fields.status();
}

bool is_sha256(std::string_view text) { return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

Status read_deployment(const Json& json, const std::string& where, Desired::Deployment& deployment) {
  Fields fields(json, where);
  deployment.id = fields.name("id");
  deployment.release = fields.integer("release", 1, std::numeric_limits<std::int64_t>::max());
  deployment.url = fields.text("url", kMaxTextBytes);
  deployment.sha256 = fields.text("sha256", 64);
  deployment.size = fields.count("size", kMaxBundleBytes);
  deployment.action = fields.text("action", kMaxNameBytes);
  deployment.soak_items = fields.integer("soak_items", 1, kMaxSoakItems);
  MORU_RETURN_IF_ERROR(fields.status());
  // A path on the hub itself and nothing else: a message must not send a node to another host.
  const bool path =
      deployment.url.starts_with("/v1/") && deployment.url.find("..") == std::string::npos &&
      deployment.url.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_.") == std::string::npos;
  if (!path) fields.note(fmt::format("{}: field 'url' is no path of the hub, expected /v1/...", where));
  if (!is_sha256(deployment.sha256)) fields.note(fmt::format("{}: field 'sha256' is no digest, expected 64 hexadecimal digits", where));
  if (deployment.size == 0) fields.note(fmt::format("{}: field 'size' is 0, expected at least 1", where));
  if (deployment.action != "stage" && deployment.action != "commit" && deployment.action != "abort") {
    fields.note(fmt::format("{}: field 'action' is unknown, expected stage, commit or abort", where));
  }
  return fields.status();
}

}  // namespace

std::uint64_t LinkLedger::dropped_total() const {
  std::uint64_t total = 0;
  for (const auto& [reason, count] : dropped) total += count;
  return total;
}

std::string_view to_string(DeploymentPhase phase) {
  for (const auto& [value, name] : kPhases) {
    if (value == phase) return name;
  }
  return "unknown";
}

std::string write(const Desired& message) {
  Json json{{"generation", message.generation}};
  if (message.deployment) {
    const Desired::Deployment& deployment = *message.deployment;
    json["deployment"] = Json{{"id", deployment.id},
                              {"release", deployment.release},
                              {"url", deployment.url},
                              {"sha256", deployment.sha256},
                              {"size", deployment.size},
                              {"action", deployment.action},
                              {"soak_items", deployment.soak_items}};
  }
  if (message.drain_at) json["drain_at"] = *message.drain_at;
  return dump(json);
}

Result<Desired> read_desired(std::string_view text) {
  MORU_ASSIGN_OR_RETURN(const Json json, parse(text, "desired"));
  Desired message;
  Fields fields(json, "desired");
  message.generation = fields.integer("generation", 0, std::numeric_limits<std::int64_t>::max());
  if (fields.has("deployment")) {
    message.deployment.emplace();
    if (const Json* child = fields.child("deployment", false); child != nullptr) {
      fields.note(read_deployment(*child, fields.where("deployment"), *message.deployment));
    }
  }
  if (fields.has("drain_at")) message.drain_at = fields.count("drain_at");
  MORU_RETURN_IF_ERROR(fields.status());
  return message;
}

std::string write(const NodeState& message) {
  Json json{{"node", message.node},
            {"agent_version", message.agent_version},
            {"machine", clip(message.machine)},
            {"time", message.time},
            {"generation", message.generation},
            {"release", message.release},
            {"release_name", clip(message.release_name)}};
  if (message.deployment) {
    const NodeState::DeploymentState& deployment = *message.deployment;
    json["deployment"] = Json{{"id", deployment.id},
                              {"release", deployment.release},
                              {"phase", to_string(deployment.phase)},
                              {"reason", clip(deployment.reason)},
                              {"shadow", write_shadow(deployment.shadow)}};
  }
  json["stream"] = message.stream;
  json["stream_state"] = clip(message.stream_state);
  json["items"] = message.items;
  json["missed"] = message.missed;
  json["items_per_second"] = message.items_per_second;
  json["latency_p50_ns"] = message.latency_p50_ns;
  json["latency_p99_ns"] = message.latency_p99_ns;
  Json ledger = Json::array();
  for (const LinkLedger& link : message.ledger) ledger.push_back(write_ledger(link));
  json["ledger"] = std::move(ledger);
  return dump(json);
}

Result<NodeState> read_node_state(std::string_view text) {
  MORU_ASSIGN_OR_RETURN(const Json json, parse(text, "state"));
  NodeState message;
  Fields fields(json, "state");
  message.node = fields.name("node");
  message.agent_version = fields.text("agent_version", kMaxNameBytes);
  message.machine = fields.text("machine", kMaxTextBytes);
  message.time = fields.time("time");
  message.generation = fields.integer("generation", 0, std::numeric_limits<std::int64_t>::max());
  message.release = fields.integer("release", 0, std::numeric_limits<std::int64_t>::max());
  message.release_name = fields.text("release_name", kMaxTextBytes);
  if (fields.has("deployment")) {
    message.deployment.emplace();
    if (const Json* child = fields.child("deployment", false); child != nullptr) {
      fields.note(read_deployment_state(*child, fields.where("deployment"), *message.deployment));
    }
  }
  message.stream = fields.text("stream", kMaxNameBytes);
  message.stream_state = fields.text("stream_state", kMaxTextBytes);
  message.items = fields.count("items");
  message.missed = fields.count("missed");
  message.items_per_second = fields.number("items_per_second", 1e12);
  message.latency_p50_ns = fields.time("latency_p50_ns");
  message.latency_p99_ns = fields.time("latency_p99_ns");
  if (const Json* links = fields.child("ledger", true, kMaxLinks); links != nullptr) {
    for (std::size_t i = 0; i < links->size(); ++i) {
      fields.note(read_ledger((*links)[i], fmt::format("state.ledger[{}]", i), message.ledger.emplace_back()));
    }
  }
  MORU_RETURN_IF_ERROR(fields.status());
  return message;
}

std::string write(const RecordBatch& message) {
  Json records = Json::array();
  for (const Record& record : message.records)
    records.push_back(Json{{"sequence", record.sequence}, {"kind", record.kind}, {"body", record.body}});
  return dump(Json{{"stream", message.stream}, {"records", std::move(records)}});
}

namespace {

Status read_record(const Json& json, const std::string& where, Record& record) {
  Fields fields(json, where);
  record.sequence = fields.count("sequence");
  record.kind = fields.text("kind", kMaxNameBytes);
  record.body = fields.text("body", kMaxBodyBytes);
  MORU_RETURN_IF_ERROR(fields.status());
  if (record.kind != "result" && record.kind != "alert" && record.kind != "lost") {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: field 'kind' is unknown, expected result, alert or lost", where));
  }
  MORU_ASSIGN_OR_RETURN(const Json body, parse_json(record.body, where + ".body"));
  if (!body.is_object()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}.body: found {}, expected an object", where, body.type_name()));
  }
  return {};
}

}  // namespace

Result<RecordBatch> read_record_batch(std::string_view text) {
  MORU_ASSIGN_OR_RETURN(const Json json, parse(text, "records"));
  RecordBatch message;
  Fields fields(json, "records");
  message.stream = fields.name("stream");
  const Json* const records = fields.child("records", true, kMaxRecords);
  MORU_RETURN_IF_ERROR(fields.status());
  message.records.reserve(records->size());
  for (std::size_t i = 0; i < records->size(); ++i) {
    const std::string where = fmt::format("records[{}]", i);
    Record& record = message.records.emplace_back();
    MORU_RETURN_IF_ERROR(read_record((*records)[i], where, record));
    const std::uint64_t expected = i == 0 ? std::max<std::uint64_t>(record.sequence, 1) : message.records[i - 1].sequence + 1;
    if (record.sequence != expected) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: field 'sequence' is {}, expected {}", where, record.sequence, expected));
    }
  }
  if (message.records.empty()) return fail(ErrorCode::kInvalidArgument, "records: found none, expected at least one");
  return message;
}

std::string write(const Ack& message) { return dump(Json{{"stream", message.stream}, {"sequence", message.sequence}}); }

Result<Ack> read_ack(std::string_view text) {
  MORU_ASSIGN_OR_RETURN(const Json json, parse(text, "ack"));
  Ack message;
  Fields fields(json, "ack");
  message.stream = fields.name("stream");
  message.sequence = fields.count("sequence");
  MORU_RETURN_IF_ERROR(fields.status());
  return message;
}

std::string node_topic(std::string_view node, std::string_view kind) { return fmt::format("moru/v1/nodes/{}/{}", node, kind); }

std::optional<NodeTopic> parse_node_topic(std::string_view topic) {
  const std::vector<std::string_view> parts = split(topic, '/');
  if (parts.size() != 5 || parts[0] != "moru" || parts[1] != "v1" || parts[2] != "nodes" || !valid_node_name(parts[3])) return std::nullopt;
  for (const std::string_view kind : {"desired", "state", "records", "ack", "online"}) {
    if (parts[4] == kind) return NodeTopic{std::string(parts[3]), std::string(kind)};
  }
  return std::nullopt;
}

bool valid_node_name(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  return !name.empty() && name.size() <= kMaxNameBytes && name.find_first_not_of(kAllowed) == std::string_view::npos;
}

}  // namespace moru::wire
