// SPDX-License-Identifier: Apache-2.0
#include "solutions/factory/line.h"

#include <signal.h>

#include <algorithm>

#include "core/json.h"
#include "core/text.h"
#include "solutions/factory/stream.h"

namespace moru::factory {
namespace {

constexpr TimeNs kStartTimeout = 30 * kSecond;
constexpr TimeNs kPollInterval = 50 * kMillisecond;

/// The last lines of a log, for the message about a process that ended.
std::string tail_of(const Path& log) {
  const auto text = read_file(log, 16U << 20U);
  if (!text) return "(no log)";
  const auto body = trim(*text);
  constexpr std::size_t kTail = 600;
  return std::string(body.size() > kTail ? body.substr(body.size() - kTail) : body);
}

/// Calls `ready` every 50 ms until it is true, a stop is requested or the time is over.
Status wait_for(const std::string& what, TimeNs timeout, const std::function<Result<bool>()>& ready) {
  const TimeNs deadline = system_clock().steady_now() + timeout;
  while (true) {
    MORU_ASSIGN_OR_RETURN(const bool done, ready());
    if (done) return {};
    if (system_clock().steady_now() > deadline) {
      return fail(ErrorCode::kDeadlineExceeded, fmt::format("{}: not reached within {}", what, human_duration_ns(timeout)));
    }
    if (wait_for_stop(kPollInterval)) return fail(ErrorCode::kCancelled, fmt::format("{}: interrupted", what));
  }
}

}  // namespace

Result<std::unique_ptr<Line>> Line::start(const LineOptions& options) {
  std::unique_ptr<Line> line(new Line(options));
  MORU_RETURN_IF_ERROR(make_folders(options.home, 0700));
  MORU_RETURN_IF_ERROR(line->start_hub());
  for (std::size_t i = 0; i < static_cast<std::size_t>(options.nodes); ++i) {
    MORU_RETURN_IF_ERROR(line->join_node(i));
    MORU_ASSIGN_OR_RETURN(auto agent, line->start_agent(i));
    line->agents_.push_back(std::move(agent));
  }
  MORU_RETURN_IF_ERROR(line->wait_online(kStartTimeout));
  return line;
}

Line::~Line() { stop(); }

Path Line::node_home(std::size_t index) const { return options_.home / fmt::format("node-{}", index + 1); }

Status Line::start_hub() {
  const Path folder = options_.home / "hub";
  MORU_RETURN_IF_ERROR(make_folders(folder, 0700));
  const Path ready = wire::hub_ready_file(folder);
  MORU_ASSIGN_OR_RETURN(
      auto hub, Process::start({.arguments = {(options_.programs / "moru").string(), "hub", "serve", "--home", folder.string(), "--port",
                                              std::to_string(options_.port), "--release-key", options_.release_key.string()},
                                .environment = {},
                                .output_file = options_.home / "hub.log",
                                .working_folder = {}}));
  hub_ = std::move(hub);
  const auto serving = [&]() -> Result<bool> {
    MORU_RETURN_IF_ERROR(check_alive());
    return std::filesystem::exists(ready);
  };
  MORU_RETURN_IF_ERROR(wait_for("start of the hub", kStartTimeout, serving));
  MORU_ASSIGN_OR_RETURN(hub_client_, wire::HubClient::from_ready_file(ready));
  MORU_ASSIGN_OR_RETURN(const auto text, read_file(ready));
  MORU_ASSIGN_OR_RETURN(const auto json, parse_json(text, ready.string()));
  MORU_ASSIGN_OR_RETURN(page_url_, json_field<std::string>(json, "page_url", ready.string()));
  MORU_ASSIGN_OR_RETURN(broker_pid_, json_field<int>(json, "broker_pid", ready.string()));
  return {};
}

Status Line::join_node(std::size_t index) const {
  const std::string name = fmt::format("node-{}", index + 1);
  MORU_ASSIGN_OR_RETURN(const auto answer, hub_client_->post("/v1/tokens", {{"valid_seconds", 600}}));
  MORU_ASSIGN_OR_RETURN(const auto token, json_field<std::string>(answer, "token", "/v1/tokens"));
  const Path home = node_home(index);
  MORU_RETURN_IF_ERROR(make_folders(home, 0700));
  MORU_ASSIGN_OR_RETURN(auto join, Process::start({.arguments = {(options_.programs / "moru-agent").string(), "join", "--name", name,
                                                                 "--home", home.string(), "--token", token},
                                                   .environment = {},
                                                   .output_file = options_.home / (name + ".log"),
                                                   .working_folder = {}}));
  const auto ended = join.wait_for(kStartTimeout);
  if (!ended || ended->code != 0) {
    return fail(ErrorCode::kUnavailable, fmt::format("{}: could not join the hub: {}", name, tail_of(options_.home / (name + ".log"))));
  }
  const StreamOptions stream{
      .dataset = options_.dataset, .rate_hz = options_.rate_hz, .swap_fraction = options_.swap_fraction, .seed = options_.seed + index};
  MORU_ASSIGN_OR_RETURN(const auto yaml, stream_file(stream));
  return write_file_atomic(home / "stream.yaml", yaml);
}

Result<Process> Line::start_agent(std::size_t index) const {
  const std::string name = fmt::format("node-{}", index + 1);
  return Process::start({.arguments = {(options_.programs / "moru-agent").string(), "run", "--home", node_home(index).string(), "--stream",
                                       (node_home(index) / "stream.yaml").string()},
                         .environment = {},
                         .output_file = options_.home / (name + ".log"),
                         .working_folder = {}});
}

Status Line::restart_agent(std::size_t index) {
  MORU_ASSIGN_OR_RETURN(auto agent, start_agent(index));
  agents_[index] = std::move(agent);
  return {};
}

Status Line::wait_online(TimeNs timeout) {
  return wait_for("nodes online", timeout, [this]() -> Result<bool> {
    MORU_RETURN_IF_ERROR(check_alive());
    MORU_ASSIGN_OR_RETURN(const auto answer, hub_client_->get("/v1/nodes"));
    MORU_ASSIGN_OR_RETURN(const auto nodes, json_field<Json>(answer, "nodes", "/v1/nodes"));
    int online = 0;
    for (const auto& node : nodes) online += json_or(node, "online", false) && node.contains("state") && node["state"].is_object() ? 1 : 0;
    return online == options_.nodes;
  });
}

Status Line::check_alive() {
  if (hub_ && hub_->poll())
    return fail(ErrorCode::kUnavailable,
                fmt::format("the hub ended with exit code {}: {}", hub_->poll()->code, tail_of(options_.home / "hub.log")));
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    const auto ended = agents_[i].poll();
    if (!ended) continue;
    const std::string name = fmt::format("node-{}", i + 1);
    return fail(ErrorCode::kUnavailable,
                fmt::format("{} ended with exit code {}: {}", name, ended->code, tail_of(options_.home / (name + ".log"))));
  }
  return {};
}

Status Line::push_release(const std::string& bundle) const {
  MORU_RETURN_IF_ERROR(hub_client_->put_bytes("/v1/releases", bundle));
  return {};
}

Result<RolloutResult> Line::roll_out(std::int64_t release, const Json& spec, TimeNs timeout) const {
  const TimeNs started = system_clock().steady_now();
  Json request = spec;
  request["release"] = release;
  MORU_ASSIGN_OR_RETURN(const auto created, hub_client_->post("/v1/rollouts", request));
  RolloutResult result;
  MORU_ASSIGN_OR_RETURN(result.id, json_field<std::string>(created, "id", "/v1/rollouts"));
  const std::string path = "/v1/rollouts/" + result.id;
  const auto ended = [&]() -> Result<bool> {
    MORU_ASSIGN_OR_RETURN(const auto rollout, hub_client_->get(path));
    MORU_ASSIGN_OR_RETURN(result.state, json_field<std::string>(rollout, "state", path));
    result.reason = json_or<std::string>(rollout, "reason", "");
    result.gate = json_or<Json>(rollout, "gate", Json::object());
    for (const auto& node : json_or<Json>(rollout, "nodes", Json::array()))
      result.refused = result.refused || json_or<std::string>(node, "phase", "") == "refused";
    return result.state == "succeeded" || result.state == "failed" || result.state == "aborted";
  };
  MORU_RETURN_IF_ERROR(wait_for(fmt::format("end of the rollout of release {}", release), timeout, ended));
  result.seconds = static_cast<double>(system_clock().steady_now() - started) / 1e9;
  return result;
}

Result<std::vector<wire::NodeState>> Line::node_states() const {
  MORU_ASSIGN_OR_RETURN(const auto answer, hub_client_->get("/v1/nodes"));
  MORU_ASSIGN_OR_RETURN(const auto nodes, json_field<Json>(answer, "nodes", "/v1/nodes"));
  std::vector<wire::NodeState> states;
  for (const auto& node : nodes) {
    if (!node.contains("state") || !node["state"].is_object()) continue;
    MORU_ASSIGN_OR_RETURN(auto state, wire::read_node_state(node["state"].dump()));
    states.push_back(std::move(state));
  }
  std::sort(states.begin(), states.end(), [](const auto& a, const auto& b) { return a.node < b.node; });
  return states;
}

Status Line::drain(std::uint64_t items, TimeNs timeout, const std::function<void(std::uint64_t)>& progress) const {
  MORU_ASSIGN_OR_RETURN(const auto before, node_states());
  for (const auto& state : before) MORU_RETURN_IF_ERROR(hub_client_->post("/v1/nodes/" + state.node + "/drain", {{"at", items}}));
  const auto delivered = [](const wire::NodeState& state) {
    const bool empty = std::all_of(state.ledger.begin(), state.ledger.end(),
                                   [](const wire::LinkLedger& link) { return link.in_flight == 0 && link.stored == 0; });
    return state.stream_state == "finished" && empty;
  };
  const auto drained = [&]() -> Result<bool> {
    MORU_ASSIGN_OR_RETURN(const auto states, node_states());
    const auto slowest = std::min_element(states.begin(), states.end(), [](const auto& a, const auto& b) { return a.items < b.items; });
    if (progress && slowest != states.end()) progress(slowest->items);
    return std::all_of(states.begin(), states.end(), delivered);
  };
  return wait_for("end of the streams", timeout, drained);
}

Result<std::vector<Json>> Line::records() const {
  std::vector<Json> all;
  std::int64_t after = 0;
  while (true) {
    const std::string path = fmt::format("/v1/records?after={}&limit=5000", after);
    MORU_ASSIGN_OR_RETURN(const auto answer, hub_client_->get(path));
    MORU_ASSIGN_OR_RETURN(const auto records, json_field<Json>(answer, "records", path));
    if (!records.is_array() || records.empty()) return all;
    for (const auto& record : records) {
      MORU_ASSIGN_OR_RETURN(after, json_field<std::int64_t>(record, "rowid", path));
      all.push_back(record);
    }
  }
}

void Line::stop() {
  for (auto& agent : agents_) agent.send_signal(SIGTERM);
  for (auto& agent : agents_) agent.stop();
  agents_.clear();
  if (hub_) hub_->stop(10 * kSecond);
  hub_.reset();
}

}  // namespace moru::factory
