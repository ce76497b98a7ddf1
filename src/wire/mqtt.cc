// SPDX-License-Identifier: Apache-2.0
// The one file that knows libmosquitto. One thread owns the connection: it connects, runs the library's loop and waits
// between attempts. Publishing from other threads only queues in the library and wakes that thread.
#include "wire/mqtt.h"

#include <fmt/format.h>
#include <mosquitto.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/random.h"

namespace moru::wire {
namespace {

constexpr int kKeepAliveSeconds = 10;
constexpr TimeNs kFirstBackOff = 100 * kMillisecond;
constexpr TimeNs kLongestBackOff = 5 * kSecond;
/// From the first packet to the broker's answer.
constexpr TimeNs kConnectTimeout = 10 * kSecond;
/// What a clean good-bye may take.
constexpr TimeNs kGoodByeTimeout = 2 * kSecond;
constexpr int kIdleLoopMs = 500;
constexpr int kConnectingLoopMs = 20;

struct Destroy {
  void operator()(mosquitto* handle) const { mosquitto_destroy(handle); }
};

/// OpenSSL's default would ask on the terminal.
int no_pass_phrase(char*, int, int, void*) { return 0; }

Status check_readable(const Path& path, std::string_view what) {
  if (::access(path.c_str(), R_OK) == 0) return {};
  return fail(errno_error(fmt::format("MQTT: read {}", what), path));
}

/// The library goes on with a TLS handshake for ever on a socket that was refused or closed meanwhile; the kernel knows.
bool is_dead(int socket) {
  pollfd entry{.fd = socket, .events = POLLRDHUP, .revents = 0};
  return socket >= 0 && ::poll(&entry, 1, 0) > 0;
}

std::string describe(int code) {
  if (code == MOSQ_ERR_ERRNO) return std::strerror(errno);
  if (code == MOSQ_ERR_TLS) return "TLS failed: the other side's certificate is not trusted, or it does not trust this one's";
  return mosquitto_strerror(code);
}

}  // namespace

struct MqttClient::Impl {
  MqttOptions options;
  std::unique_ptr<mosquitto, Destroy> handle;
  std::thread thread;
  std::atomic<bool> connected{false};
  std::atomic<bool> stopping{false};
  std::mutex mutex;
  std::condition_variable wake;
  std::string refusal;   // the broker's reason, from the connect callback; only the client's thread uses it
  int unsubscribed = 0;  // the UNSUBSCRIBE that was answered last; only the client's thread uses it

  Status configure();
  void run();
  void session();
  void say_good_bye();
  void pause(TimeNs duration);
  void lost(std::string_view reason);
  void on_connect(int code);
};

Status MqttClient::Impl::configure() {
  MORU_RETURN_IF_ERROR(check_readable(options.ca_file, "CA certificate"));
  MORU_RETURN_IF_ERROR(check_readable(options.certificate_file, "certificate"));
  MORU_RETURN_IF_ERROR(check_readable(options.key_file, "key"));
  static const int library = mosquitto_lib_init();
  handle.reset(mosquitto_new(options.client_id.c_str(), /*clean_session=*/true, this));
  if (library != MOSQ_ERR_SUCCESS || handle == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("MQTT: client id '{}' was not taken, expected 1 to 64 plain characters", options.client_id));
  }
  int code = mosquitto_int_option(handle.get(), MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V311);
  if (code == MOSQ_ERR_SUCCESS) code = mosquitto_int_option(handle.get(), MOSQ_OPT_TCP_NODELAY, 1);
  if (code == MOSQ_ERR_SUCCESS) code = mosquitto_threaded_set(handle.get(), true);
  if (code == MOSQ_ERR_SUCCESS) {
    code = mosquitto_tls_set(handle.get(), options.ca_file.c_str(), nullptr, options.certificate_file.c_str(), options.key_file.c_str(),
                             no_pass_phrase);
  }
  constexpr int kVerifyPeer = 1;
  if (code == MOSQ_ERR_SUCCESS) code = mosquitto_tls_opts_set(handle.get(), kVerifyPeer, "tlsv1.2", nullptr);
  if (code == MOSQ_ERR_SUCCESS && !options.will_topic.empty()) {
    code = mosquitto_will_set(handle.get(), options.will_topic.c_str(), static_cast<int>(options.will_payload.size()),
                              options.will_payload.data(), 1, true);
  }
  if (code != MOSQ_ERR_SUCCESS)
    return fail(ErrorCode::kInvalidArgument, fmt::format("MQTT: options were not taken: {}", mosquitto_strerror(code)));
  mosquitto_connect_callback_set(handle.get(), [](mosquitto*, void* self, int reason) { static_cast<Impl*>(self)->on_connect(reason); });
  mosquitto_unsubscribe_callback_set(handle.get(), [](mosquitto*, void* self, int id) { static_cast<Impl*>(self)->unsubscribed = id; });
  mosquitto_message_callback_set(handle.get(), [](mosquitto*, void* self, const mosquitto_message* message) {
    const auto& handler = static_cast<Impl*>(self)->options.on_message;
    if (handler) handler(message->topic, {static_cast<const char*>(message->payload), static_cast<std::size_t>(message->payloadlen)});
  });
  return {};
}

void MqttClient::Impl::on_connect(int code) {
  if (code != 0) {
    refusal = fmt::format("the broker refused: {}", mosquitto_connack_string(code));
    return;
  }
  for (const std::string& topic : options.subscriptions) {
    const int subscribed = mosquitto_subscribe(handle.get(), nullptr, topic.c_str(), 1);
    if (subscribed != MOSQ_ERR_SUCCESS) MORU_LOG(kWarn, "subscription failed", "topic", topic, "reason", mosquitto_strerror(subscribed));
  }
  connected = true;
  if (options.on_connection) options.on_connection(true, "connected");
}

void MqttClient::Impl::lost(std::string_view reason) {
  connected = false;
  if (options.on_connection) options.on_connection(false, reason);
}

void MqttClient::Impl::pause(TimeNs duration) {
  std::unique_lock lock(mutex);
  wake.wait_for(lock, std::chrono::nanoseconds(duration), [this] { return stopping.load(); });
}

/// One connection from its first packet to its end; returns when it is over or the client is stopping.
void MqttClient::Impl::session() {
  refusal.clear();
  // Closes what is left of an earlier connection.
  int code = mosquitto_connect_async(handle.get(), options.host.c_str(), options.port, kKeepAliveSeconds);
  const TimeNs deadline = system_clock().steady_now() + kConnectTimeout;
  while (code == MOSQ_ERR_SUCCESS && !stopping) {
    code = mosquitto_loop(handle.get(), connected ? kIdleLoopMs : kConnectingLoopMs, 1);
    if (connected || code != MOSQ_ERR_SUCCESS) continue;
    if (system_clock().steady_now() > deadline) return lost("no answer within 10 s");
    if (is_dead(mosquitto_socket(handle.get()))) {
      // Once more: the reason may lie unread in the socket.
      code = mosquitto_loop(handle.get(), 0, 1);
      if (code == MOSQ_ERR_SUCCESS) return lost(refusal.empty() ? "nobody answers there, or the connection was closed" : refusal);
    }
  }
  if (code != MOSQ_ERR_SUCCESS) lost(refusal.empty() ? describe(code) : refusal);
}

/// Lets what is queued out, then a DISCONNECT, so that the broker does not publish the will. The library closes the socket behind the
/// DISCONNECT; were anything unread in it, the kernel would reset the connection, and the broker might not see the DISCONNECT. So the
/// subscriptions end first: the broker answers in order, and behind its last answer comes no acknowledgement and no message.
void MqttClient::Impl::say_good_bye() {
  const TimeNs deadline = system_clock().steady_now() + kGoodByeTimeout;
  std::vector<std::string> topics = options.subscriptions;
  if (topics.empty()) topics.push_back(options.client_id);  // any topic is answered
  int last = 0;
  for (const std::string& topic : topics) {
    if (mosquitto_unsubscribe(handle.get(), &last, topic.c_str()) != MOSQ_ERR_SUCCESS) return;
  }
  while (unsubscribed != last && system_clock().steady_now() < deadline) {
    if (mosquitto_loop(handle.get(), kConnectingLoopMs, 1) != MOSQ_ERR_SUCCESS) return;
  }
  if (mosquitto_disconnect(handle.get()) != MOSQ_ERR_SUCCESS) return;
  while (mosquitto_socket(handle.get()) >= 0 && system_clock().steady_now() < deadline) {
    if (mosquitto_loop(handle.get(), kConnectingLoopMs, 1) != MOSQ_ERR_SUCCESS) break;
  }
}

void MqttClient::Impl::run() {
  // OpenSSL writes without MSG_NOSIGNAL: a broker that went away is an error here, never the end of the process.
  sigset_t pipe{};
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  Rng rng(static_cast<std::uint64_t>(system_clock().wall_now()) ^ (static_cast<std::uint64_t>(::getpid()) << 32U));
  TimeNs back_off = kFirstBackOff;
  while (!stopping) {
    const TimeNs began = system_clock().steady_now();
    session();
    if (stopping) break;
    // A connection that held for a while earns a quick first attempt; one that breaks at once does not.
    if (system_clock().steady_now() - began > kLongestBackOff) back_off = kFirstBackOff;
    // Between half and all of the back-off, so that a thousand nodes do not come back in step.
    pause(static_cast<TimeNs>(static_cast<double>(back_off) * (0.5 + rng.uniform() / 2)));
    back_off = std::min(back_off * 2, kLongestBackOff);
  }
  if (connected) say_good_bye();
  connected = false;
}

MqttClient::MqttClient() : impl_(std::make_unique<Impl>()) {}

Result<std::unique_ptr<MqttClient>> MqttClient::start(MqttOptions options) {
  std::unique_ptr<MqttClient> client(new MqttClient());
  client->impl_->options = std::move(options);
  MORU_RETURN_IF_ERROR(client->impl_->configure());
  client->impl_->thread = std::thread([impl = client->impl_.get()] { impl->run(); });
  return client;
}

MqttClient::~MqttClient() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

bool MqttClient::connected() const { return impl_->connected; }

Status MqttClient::publish(const std::string& topic, std::string_view payload, int qos, bool retain) {
  if (!impl_->connected)
    return fail(ErrorCode::kUnavailable,
                fmt::format("MQTT: not connected to {}:{}, expected a connection", impl_->options.host, impl_->options.port));
  const int code =
      mosquitto_publish(impl_->handle.get(), nullptr, topic.c_str(), static_cast<int>(payload.size()), payload.data(), qos, retain);
  if (code == MOSQ_ERR_SUCCESS) return {};
  const bool lost = code == MOSQ_ERR_NO_CONN || code == MOSQ_ERR_CONN_LOST;
  return fail(lost ? ErrorCode::kUnavailable : ErrorCode::kInvalidArgument,
              fmt::format("MQTT: publish to '{}': {}", topic, mosquitto_strerror(code)));
}

}  // namespace moru::wire
