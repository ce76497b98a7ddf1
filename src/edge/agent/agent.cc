// SPDX-License-Identifier: Apache-2.0
#include "edge/agent/agent.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "core/json.h"
#include "core/log.h"
#include "edge/agent/deployer.h"
#include "edge/agent/sender.h"
#include "edge/streams/inference/model_file.h"
#include "edge/streams/outbox.h"
#include "edge/streams/stream.h"
#include "runtime/measure/machine.h"
#include "wire/http.h"
#include "wire/mqtt.h"

namespace moru::edge {
namespace {

constexpr TimeNs kStateInterval = kSecond;
/// While a candidate runs in shadow or soaks, the hub's gate waits for its figures.
constexpr TimeNs kShadowInterval = 200 * kMillisecond;
/// How often changes are looked for.
constexpr TimeNs kTick = 50 * kMillisecond;
constexpr TimeNs kFlushTimeout = 2 * kSecond;
constexpr std::uint64_t kMaxStreamFile = 1U << 20U;

Result<StreamSpec> load_stream(const AgentOptions& options) {
  const std::string name = options.stream_file.string();
  MORU_ASSIGN_OR_RETURN(const std::string text, read_file(options.stream_file, kMaxStreamFile));
  MORU_ASSIGN_OR_RETURN(const std::string filled, fill_parameters(text, options.parameters, name));
  MORU_ASSIGN_OR_RETURN(const ConfigObject document, ConfigObject::parse(filled, name));
  MORU_ASSIGN_OR_RETURN(StreamSpec spec, read_stream(document));
  if (!wire::valid_node_name(spec.name)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found stream name '{}', expected 1 to 64 letters, digits, '-' or '_'", name, spec.name));
  }
  return spec;
}

/// The one model that the stream's stages ask for ("model/NAME" among the resources).
Result<std::string> model_name(const StreamSpec& spec, const Path& file) {
  std::set<std::string> names;
  for (const auto& entry : spec.stages) {
    const auto option = entry.stage == "infer" ? entry.options.find("model") : std::nullopt;
    if (option) names.insert(option->scalar());
  }
  if (names.size() == 1) return *names.begin();
  return fail(ErrorCode::kUnsupported,
              fmt::format("{}: found {} models in the stream, expected one that releases are for", file.string(), names.size()));
}

}  // namespace

struct Agent::Impl {
  AgentOptions options;
  HomePaths paths;
  NodeIdentity identity;
  Clock& clock = system_clock();
  std::string machine;

  std::shared_ptr<ModelSlot> slot = std::make_shared<ModelSlot>();
  std::shared_ptr<Outbox> outbox;
  std::string stream_name;
  std::unique_ptr<Deployer> deployer;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Observation> observation;  // after the stream, which it borrows
  std::unique_ptr<Sender> sender;
  std::unique_ptr<wire::MqttClient> mqtt;
  std::atomic<wire::MqttClient*> network{nullptr};  // mqtt, once it is there; callbacks may come before
  std::thread deployments;

  std::atomic<std::int64_t> generation{0};
  std::atomic<bool> publish_now{false};
  std::atomic<bool> greet{false};  // "online" is to be said on this connection
  std::atomic<bool> connected{false};
  TimeNs state_due = 0;
  TimeNs status_due = 0;
  std::uint64_t seen_changes = 0;
  bool stopped = false;

  Status start();
  Status start_stream(const StreamSpec& spec, const std::string& model);
  Status start_network();
  void make_deployer(ReleaseStore store);
  void run_deployments();
  void on_connection(bool up, std::string_view reason);
  void on_message(std::string_view topic, std::string_view payload);
  void on_desired(std::string_view payload);
  Status publish(std::string_view kind, std::string_view payload, int qos, bool retain);
  wire::NodeState state() const;
  void publish_state();
  void write_status();
};

Status Agent::Impl::start() {
  MORU_ASSIGN_OR_RETURN(identity, read_identity(paths));
  MORU_ASSIGN_OR_RETURN(const StreamSpec spec, load_stream(options));
  MORU_ASSIGN_OR_RETURN(const std::string model, model_name(spec, options.stream_file));
  MORU_ASSIGN_OR_RETURN(auto store, ReleaseStore::open(paths));
  MORU_ASSIGN_OR_RETURN(outbox, Outbox::open(paths.outbox(), spec.name));
  machine = runtime::to_string(runtime::describe_machine());
  make_deployer(std::move(store));
  if (const Status status = deployer->load_current(); !status) {
    const bool fresh = status.error().code == ErrorCode::kNotFound;
    MORU_LOG(kWarn, fresh ? "no release yet, waiting for one" : "no release can be run, waiting for a new one", "reason",
             status.error().message);
  }
  stream_name = spec.name;
  sender = std::make_unique<Sender>(SenderOptions{}, clock, outbox, stream_name,
                                    [this](const wire::RecordBatch& batch) { return publish("records", wire::write(batch), 1, false); });
  MORU_RETURN_IF_ERROR(start_stream(spec, model));
  deployments = std::thread([this] { run_deployments(); });
  return start_network();
}

void Agent::Impl::make_deployer(ReleaseStore store) {
  const Fetcher fetch = [this](const wire::DesiredDeployment& deployment, const Path& to, const std::function<bool()>& cancelled) {
    wire::HttpOptions http;
    http.ca_file = paths.ca();
    http.certificate_file = paths.certificate();
    http.key_file = paths.key();
    http.cancelled = cancelled;
    return wire::http_download(identity.hub_url + deployment.url, to, deployment.size, http);
  };
  BundlePolicy policy{.verify = make_verifier(identity.release_keys), .targets = model::machine_targets()};
  deployer = std::make_unique<Deployer>(DeployerOptions{}, clock, std::move(store), slot, std::move(policy), fetch, load_on_node);
}

Status Agent::Impl::start_stream(const StreamSpec& spec, const std::string& model) {
  StageContext context;
  context.clock = &clock;
  context.resources["model/" + model] = slot;
  context.resources["outbox"] = outbox;
  MORU_ASSIGN_OR_RETURN(observation, Observation::prepare(options.seen, spec.name, clock));
  if (observation->watch()) context.resources["watch"] = observation->watch();
  context.state = paths.stream_state();
  MORU_ASSIGN_OR_RETURN(stream, Stream::start(spec, std::move(context)));
  return observation->begin(*stream, [this] {
    StreamState seen = stream->state();
    seen.ledger.push_back(outbox->ledger());
    return seen;
  });
}

Status Agent::Impl::start_network() {
  wire::MqttOptions mqtt_options;
  mqtt_options.host = identity.mqtt_host;
  mqtt_options.port = identity.mqtt_port;
  mqtt_options.client_id = identity.node;
  mqtt_options.ca_file = paths.ca();
  mqtt_options.certificate_file = paths.certificate();
  mqtt_options.key_file = paths.key();
  mqtt_options.will_topic = wire::node_topic(identity.node, "online");
  mqtt_options.will_payload = std::string("0");
  mqtt_options.subscriptions = {wire::node_topic(identity.node, "desired"), wire::node_topic(identity.node, "ack")};
  mqtt_options.on_message = [this](std::string_view topic, std::string_view payload) { on_message(topic, payload); };
  mqtt_options.on_connection = [this](bool up, std::string_view reason) { on_connection(up, reason); };
  MORU_ASSIGN_OR_RETURN(mqtt, wire::MqttClient::start(std::move(mqtt_options)));
  network = mqtt.get();
  return {};
}

void Agent::Impl::run_deployments() {
  while (!deployer->stopping()) {
    const TimeNs next = deployer->step();
    deployer->wait(next);
  }
}

void Agent::Impl::on_connection(bool up, std::string_view reason) {
  if (up != connected) MORU_LOG(kInfo, up ? "connected to the hub" : "connection to the hub lost", "reason", reason);
  connected = up;
  // The rest is done by tick() and the sender, on their own threads, once the client can be used.
  greet = up;
  publish_now = true;
  sender->connected(up);
}

void Agent::Impl::on_message(std::string_view topic, std::string_view payload) {
  const auto parsed = wire::parse_node_topic(topic);
  if (!parsed || parsed->node != identity.node) return;
  if (parsed->kind == "desired") return on_desired(payload);
  if (parsed->kind != "ack") return;
  const auto ack = wire::read_ack(payload);
  if (ack) return sender->acknowledged(*ack);
  MORU_LOG(kWarn, "answer of the hub cannot be read", "error", ack.error().message);
}

void Agent::Impl::on_desired(std::string_view payload) {
  if (payload.empty()) return;  // a retained message that was deleted
  const auto desired = wire::read_desired(payload);
  if (!desired) {
    MORU_LOG(kError, "wish of the hub cannot be read", "error", desired.error().message);
    return;
  }
  generation = desired->generation;
  deployer->want(desired->deployment);
  if (desired->drain_at) stream->drain_at(*desired->drain_at);
  publish_now = true;
}

Status Agent::Impl::publish(std::string_view kind, std::string_view payload, int qos, bool retain) {
  wire::MqttClient* client = network;
  if (client == nullptr) return fail(ErrorCode::kUnavailable, "MQTT: not connected yet");
  return client->publish(wire::node_topic(identity.node, kind), payload, qos, retain);
}

wire::NodeState Agent::Impl::state() const {
  wire::NodeState state;
  state.node = identity.node;
  state.agent_version = options.version;
  state.machine = machine;
  state.time = clock.wall_now();
  state.generation = generation;
  const Deployer::Running running = deployer->running();
  state.release = running.release;
  state.release_name = running.name;
  state.deployment = deployer->state();
  StreamState current = stream->state();
  state.stream = stream_name;
  state.stream_state = std::move(current.state);
  state.items = current.items;
  state.missed = current.missed;
  state.items_per_second = current.items_per_second;
  state.latency_p50_ns = current.latency_p50_ns;
  state.latency_p99_ns = current.latency_p99_ns;
  state.ledger = std::move(current.ledger);
  wire::LinkLedger to_hub = outbox->ledger();
  to_hub.link = "outbox->hub";  // the same on every node, whatever its stream is called
  state.ledger.push_back(std::move(to_hub));
  return state;
}

void Agent::Impl::publish_state() {
  if (!connected) return;
  if (greet && publish("online", "1", 1, true)) greet = false;
  if (const Status status = publish("state", wire::write(state()), 0, true); !status)
    MORU_LOG(kDebug, "state not published", "error", status.error().message);
}

void Agent::Impl::write_status() {
  auto json = parse_json(wire::write(state()), "status");
  if (!json) return;
  (*json)["connected"] = connected.load();
  (*json)["pid"] = ::getpid();
  // Not fsynced: it is renewed each second and worth nothing after a power cut.
  const Path temporary = paths.home / ".status.json.tmp";
  const std::string text = json->dump(2) + "\n";
  const bool written = [&] {
    const auto file = std::unique_ptr<FILE, int (*)(FILE*)>(std::fopen(temporary.c_str(), "we"), &std::fclose);
    return file != nullptr && std::fwrite(text.data(), 1, text.size(), file.get()) == text.size();
  }();
  if (written && std::rename(temporary.c_str(), paths.status().c_str()) == 0) return;
  MORU_LOG(kDebug, "status file not written", "path", paths.status().string());
}

Agent::Agent() : impl_(std::make_unique<Impl>()) {}

Result<std::unique_ptr<Agent>> Agent::start(const AgentOptions& options) {
  std::unique_ptr<Agent> agent(new Agent());
  agent->impl_->options = options;
  agent->impl_->paths = {options.home};
  MORU_RETURN_IF_ERROR(agent->impl_->start());
  return agent;
}

TimeNs Agent::tick() {
  Impl& impl = *impl_;
  const TimeNs now = impl.clock.steady_now();
  const std::uint64_t changes = impl.deployer->changes();
  const bool changed = impl.publish_now.exchange(false) || changes != impl.seen_changes;
  if (changed || now >= impl.state_due) {
    impl.seen_changes = changes;
    impl.publish_state();
    const auto deployment = impl.deployer->state();
    const bool watched =
        deployment && (deployment->phase == wire::DeploymentPhase::kShadowing || deployment->phase == wire::DeploymentPhase::kSoaking);
    impl.state_due = now + (watched ? kShadowInterval : kStateInterval);
  }
  if (now >= impl.status_due) {
    impl.write_status();
    if (const Status status = impl.observation->write_state(); !status)
      MORU_LOG(kDebug, "state folder not written", "error", status.error().message);
    impl.status_due = now + kStateInterval;
  }
  return now + kTick;
}

void Agent::stop() {
  Impl& impl = *impl_;
  if (impl.stopped) return;
  impl.stopped = true;
  if (impl.deployer) impl.deployer->stop();
  if (impl.stream) impl.stream->stop();
  if (impl.stream && impl.observation) {
    if (const Status status = impl.observation->write_state(); !status)
      MORU_LOG(kWarn, "state folder not written", "error", status.error().message);
    impl.observation->end();
  }
  if (impl.deployments.joinable()) impl.deployments.join();
  if (impl.outbox) {
    if (const Status status = impl.outbox->sync(); !status) MORU_LOG(kError, "outbox not synced", "error", status.error().message);
  }
  if (impl.mqtt) {
    impl.sender->flush(kFlushTimeout);
    impl.publish_state();
    if (impl.connected && !impl.publish("online", "0", 1, true)) MORU_LOG(kDebug, "good-bye not sent");
    impl.write_status();
  }
  // The sender's thread uses the client, the client's thread calls the sender: thread by thread, then the objects.
  if (impl.sender) impl.sender->stop();
  impl.mqtt.reset();
  impl.sender.reset();
  impl.stream.reset();
}

Agent::~Agent() { stop(); }

Result<std::string> read_status(const HomePaths& paths) {
  auto text = read_file(paths.status(), 4U << 20U);
  if (text || text.error().code != ErrorCode::kNotFound) return text;
  return fail(ErrorCode::kNotFound,
              fmt::format("'{}': found no status, expected that of an agent that has run here; run: moru-agent run --home {} --stream FILE",
                          paths.home.string(), paths.home.string()));
}

}  // namespace moru::edge
