// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/file_lock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/text.h"
#include "fleet/hub/api/api.h"
#include "fleet/hub/artefacts/artefacts.h"
#include "fleet/hub/broker/broker.h"
#include "fleet/hub/nodes/node_book.h"
#include "fleet/hub/rollout/controller.h"
#include "fleet/hub/store/store.h"
#include "trust/certificates.h"
#include "trust/join_token.h"
#include "trust/keys.h"
#include "wire/messages.h"
#include "wire/mqtt.h"

namespace moru::fleet {
namespace {

constexpr const char* kHubName = "hub";
constexpr auto kTick = std::chrono::milliseconds(100);
constexpr int kTicksPerNodesEvent = 10;
constexpr int kTicksPerSave = 50;

/// Held while a hub uses the folder; the kernel lets it go when the process ends.
Result<FileLock> lock_home(const Path& home) {
  auto lock = FileLock::take(home / "lock");
  if (lock || lock.error().code != ErrorCode::kUnavailable) return lock;
  return fail(ErrorCode::kUnavailable,
              fmt::format("hub: another hub runs on '{}', expected none; stop it or give another --home", home.string()));
}

Result<std::string> load_or_make_secret(const Path& file) {
  if (auto text = read_file(file, 4096)) {
    std::string secret(trim(*text));
    if (secret.size() >= 32) return secret;
  }
  MORU_ASSIGN_OR_RETURN(std::string secret, trust::random_hex(32));
  MORU_RETURN_IF_ERROR(write_file_atomic(file, secret + "\n", 0600));
  return secret;
}

/// Keys given now are kept beside those of earlier starts, by their id.
Result<std::vector<trust::PublicKey>> release_keys(const Path& folder, const std::vector<Path>& given) {
  MORU_RETURN_IF_ERROR(make_folders(folder, 0700));
  for (const Path& file : given) {
    MORU_ASSIGN_OR_RETURN(const std::string pem, read_file(file, 1U << 16U));
    MORU_ASSIGN_OR_RETURN(const auto key, trust::PublicKey::from_pem(pem, file.string()));
    MORU_RETURN_IF_ERROR(write_file_atomic(folder / (key.id() + ".pem"), key.to_pem()));
  }
  std::vector<Path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".pem") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<trust::PublicKey> keys;
  for (const Path& file : files) {
    MORU_ASSIGN_OR_RETURN(const std::string pem, read_file(file, 1U << 16U));
    MORU_ASSIGN_OR_RETURN(auto key, trust::PublicKey::from_pem(pem, file.string()));
    keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace

struct Hub::Impl {
  Path home;
  std::optional<FileLock> lock;
  std::string secret;
  std::optional<trust::CertificateAuthority> authority;
  std::optional<Artefacts> artefacts;
  std::unique_ptr<Store> store;
  std::unique_ptr<NodeBook> nodes;
  std::unique_ptr<RolloutController> rollouts;
  std::unique_ptr<Broker> broker;
  std::unique_ptr<Api> api;
  std::unique_ptr<wire::server::HttpServer> http;
  std::mutex mqtt_mutex;
  std::unique_ptr<wire::MqttClient> mqtt;
  std::atomic<bool> serving = false;
  std::atomic<bool> resend = false;  // the broker has not heard every wish
  std::mutex tick_mutex;
  std::condition_variable tick_wake;
  bool stopping = false;
  std::thread ticker;

  ~Impl();
  Status open_state(const HubOptions& options);
  Status start_servers(const HubOptions& options);
  Status start_mqtt();
  HttpAdmission admit(const HttpRequest& head) const;
  void tick_loop();
  void take_message(std::string_view topic, std::string_view payload);
  Status take_records(const std::string& node, std::string_view payload);
  Status publish(const std::string& topic, const std::string& payload, int qos, bool retain);
  void emit(std::string_view event, const Json& json) const {
    if (http) http->broadcast(event, json.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  Json broker_status();
};

Status Hub::Impl::open_state(const HubOptions& options) {
  home = options.home;
  MORU_RETURN_IF_ERROR(make_folders(home, 0700));
  MORU_ASSIGN_OR_RETURN(auto taken, lock_home(home));
  lock.emplace(std::move(taken));
  MORU_ASSIGN_OR_RETURN(authority, trust::CertificateAuthority::load_or_create(home / "ca"));
  MORU_ASSIGN_OR_RETURN(secret, load_or_make_secret(home / "operator-token"));
  MORU_ASSIGN_OR_RETURN(artefacts, Artefacts::open(home / "artefacts"));
  MORU_ASSIGN_OR_RETURN(store, Store::open(home, system_clock()));
  nodes = std::make_unique<NodeBook>(*store, system_clock());
  MORU_RETURN_IF_ERROR(nodes->load());
  ControllerHooks hooks;
  hooks.send = [this](const std::string& node, const wire::Desired& desired) {
    if (!publish(wire::node_topic(node, "desired"), wire::write(desired), 1, true)) resend = true;
  };
  hooks.changed = [this](const Json& json) { emit("rollout", json); };
  MORU_ASSIGN_OR_RETURN(rollouts, RolloutController::create(*store, system_clock(), std::move(hooks)));
  return {};
}

Status Hub::Impl::start_servers(const HubOptions& options) {
  MORU_ASSIGN_OR_RETURN(auto keys, release_keys(home / "release-keys", options.release_keys));
  MORU_ASSIGN_OR_RETURN(auto server, authority->issue_server(kHubName, {"127.0.0.1", "localhost"}));
  ApiContext context{.store = *store,
                     .nodes = *nodes,
                     .rollouts = *rollouts,
                     .artefacts = *artefacts,
                     .authority = *authority,
                     .clock = system_clock(),
                     .operator_secret = secret,
                     .release_keys = std::move(keys),
                     .url = [this] { return fmt::format("https://127.0.0.1:{}", http->port()); },
                     .mqtt_port = [this] { return broker->port(); },
                     .broker_status = [this] { return broker_status(); }};
  api = std::make_unique<Api>(std::move(context));
  wire::server::HttpServerOptions http_options;
  http_options.port = options.port;
  http_options.certificate_pem = server.certificate_pem;
  http_options.key_pem = server.key_pem;
  http_options.client_ca_pem = authority->certificate_pem();
  MORU_ASSIGN_OR_RETURN(http, wire::server::HttpServer::start(
                                  std::move(http_options), {.admit = [this](const HttpRequest& head) { return admit(head); },
                                                            .handle = [this](const HttpRequest& request) { return api->handle(request); },
                                                            .handle_later = {}}));
  MORU_ASSIGN_OR_RETURN(
      broker,
      Broker::start({.folder = home / "broker", .port = options.mqtt_port, .hub_name = kHubName, .program = "mosquitto"}, *authority));
  MORU_RETURN_IF_ERROR(start_mqtt());
  serving = true;
  return {};
}

/// The port is taken first, because it may be in use; what the API needs is there a moment later.
HttpAdmission Hub::Impl::admit(const HttpRequest& head) const {
  if (!serving) return {0, http_error(503, "the hub is starting; try again in a moment")};
  return api->admit(head);
}

Status Hub::Impl::start_mqtt() {
  MORU_ASSIGN_OR_RETURN(const auto made, trust::make_request(kHubName));
  MORU_ASSIGN_OR_RETURN(const auto certificate, authority->issue_client(made.request_pem, kHubName));
  const Path certificate_file = home / "broker" / "hub.pem";
  const Path key_file = home / "broker" / "hub-key.pem";
  MORU_RETURN_IF_ERROR(write_file_atomic(certificate_file, certificate));
  MORU_RETURN_IF_ERROR(write_file_atomic(key_file, made.key_pem, 0600));
  wire::MqttOptions options;
  options.port = broker->port();
  options.client_id = "moru-hub";
  options.ca_file = home / "ca" / "ca.pem";
  options.certificate_file = certificate_file;
  options.key_file = key_file;
  for (const char* kind : {"state", "records", "online"}) options.subscriptions.push_back(fmt::format("moru/v1/nodes/+/{}", kind));
  options.on_message = [this](std::string_view topic, std::string_view payload) { take_message(topic, payload); };
  options.on_connection = [this](bool connected, std::string_view reason) {
    MORU_LOG(kInfo, "broker connection", "connected", connected, "reason", reason);
    if (connected) resend = true;
  };
  MORU_ASSIGN_OR_RETURN(auto client, wire::MqttClient::start(std::move(options)));
  const std::lock_guard guard(mqtt_mutex);
  mqtt = std::move(client);
  return {};
}

Status Hub::Impl::publish(const std::string& topic, const std::string& payload, int qos, bool retain) {
  const std::lock_guard guard(mqtt_mutex);
  if (!mqtt) return fail(ErrorCode::kUnavailable, "broker: not connected");
  return mqtt->publish(topic, payload, qos, retain);
}

void Hub::Impl::take_message(std::string_view topic, std::string_view payload) {
  const auto address = wire::parse_node_topic(topic);
  if (!address) return;
  Status taken;
  if (address->kind == "state") {
    taken = nodes->take_state(address->node, payload);
  } else if (address->kind == "online") {
    taken = nodes->take_online(address->node, payload == "1");
  } else if (address->kind == "records") {
    taken = take_records(address->node, payload);
  }
  if (!taken) MORU_LOG(kWarn, "message refused", "topic", topic, "error", taken.error().message);
}

Status Hub::Impl::take_records(const std::string& node, std::string_view payload) {
  MORU_ASSIGN_OR_RETURN(auto batch, wire::read_record_batch(payload));
  const std::string stream = batch.stream;
  return store->append_records(
      node, std::move(batch), [this, node, stream](Result<std::uint64_t> stored, const std::vector<RecordRow>& added) {
        if (!stored) {
          MORU_LOG(kError, "records not stored", "node", node, "stream", stream, "error", stored.error().message);
          return;
        }
        // A lost acknowledgement costs a repeat, no more.
        const Status sent = publish(wire::node_topic(node, "ack"), wire::write(wire::Ack{stream, *stored}), 0, false);
        if (!sent) MORU_LOG(kDebug, "acknowledgement not sent", "node", node, "error", sent.error().message);
        for (const RecordRow& record : added) {
          if (record.kind == "alert") emit("alert", describe_record(record));
        }
      });
}

Json Hub::Impl::broker_status() {
  const std::lock_guard guard(mqtt_mutex);
  return {{"port", broker->port()},
          {"pid", broker->pid()},
          {"restarts", broker->restarts()},
          {"connected", mqtt != nullptr && mqtt->connected()}};
}

void Hub::Impl::tick_loop() {
  std::unique_lock guard(tick_mutex);
  for (int count = 1; !stopping; ++count) {
    guard.unlock();
    if (resend.exchange(false)) rollouts->resend();
    rollouts->tick(nodes->views());
    if (count % kTicksPerNodesEvent == 0) emit("nodes", {{"nodes", nodes->list()}});
    if (count % kTicksPerSave == 0) {
      if (const Status saved = nodes->save(); !saved) MORU_LOG(kError, "node states not stored", "error", saved.error().message);
    }
    guard.lock();
    tick_wake.wait_for(guard, kTick, [this] { return stopping; });
  }
}

/// From the outside in: no new requests, no new messages, what is under way to disk, then the broker.
Hub::Impl::~Impl() {
  if (http) http->stop();
  {
    const std::lock_guard guard(tick_mutex);
    stopping = true;
  }
  tick_wake.notify_all();
  if (ticker.joinable()) ticker.join();
  std::unique_ptr<wire::MqttClient> client;
  {
    const std::lock_guard guard(mqtt_mutex);
    client = std::move(mqtt);
  }
  client.reset();
  if (nodes) {
    if (const Status saved = nodes->save(); !saved) MORU_LOG(kError, "node states not stored", "error", saved.error().message);
  }
  broker.reset();
  api.reset();
  rollouts.reset();
  store.reset();  // its last callbacks use what stands above
}

Hub::Hub(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Hub::~Hub() = default;

Result<std::unique_ptr<Hub>> Hub::start(const HubOptions& options) {
  auto impl = std::make_unique<Impl>();
  MORU_RETURN_IF_ERROR(impl->open_state(options));
  MORU_RETURN_IF_ERROR(impl->start_servers(options));
  impl->ticker = std::thread([core = impl.get()] { core->tick_loop(); });
  return std::unique_ptr<Hub>(new Hub(std::move(impl)));
}

std::string Hub::url() const { return fmt::format("https://127.0.0.1:{}", impl_->http->port()); }
std::string Hub::page_url() const { return fmt::format("{}/?token={}", url(), impl_->secret); }
Path Hub::operator_token_file() const { return impl_->home / "operator-token"; }
Path Hub::ca_file() const { return impl_->home / "ca" / "ca.pem"; }
int Hub::mqtt_port() const { return impl_->broker->port(); }
pid_t Hub::broker_pid() const { return impl_->broker->pid(); }

}  // namespace moru::fleet
