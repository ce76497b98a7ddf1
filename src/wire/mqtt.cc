// SPDX-License-Identifier: Apache-2.0
// One thread owns the session: it connects, waits for the socket, and waits between attempts. Publishing from other threads, and from
// callbacks, only queues and wakes that thread.
#include "wire/mqtt.h"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>

#include "core/clock.h"
#include "core/random.h"
#include "wire/mqtt_session.h"
#include "wire/wake.h"

namespace moru::wire {
namespace {

constexpr std::uint16_t kKeepAliveSeconds = 10;
constexpr TimeNs kFirstBackOff = 100 * kMillisecond;
constexpr TimeNs kLongestBackOff = 5 * kSecond;
constexpr TimeNs kLongestWait = kSecond;
/// What one may hand on before the broker has answered: a client that asks for more is broken, or its broker is.
constexpr std::size_t kMostUnanswered = 10'000;
/// Messages for a node are small; a release is fetched over HTTPS.
constexpr std::size_t kLargestPacket = std::size_t{16} << 20U;

}  // namespace

struct MqttClient::Impl final : mqtt::SessionListener {
  struct Outgoing {
    std::string topic;
    std::string payload;
    std::uint8_t qos = 0;
    bool retain = false;
  };
  MqttOptions options;
  std::optional<mqtt::Session> session;  // the thread's own
  Wake wake;
  std::atomic<bool> connected{false};
  std::atomic<std::size_t> unanswered{0};
  std::mutex mutex;
  std::condition_variable_any changed;
  std::vector<Outgoing> queue;
  std::jthread thread;  // last: it uses all the others

  Status configure();
  void on_message(const mqtt::Message& message) override;
  void run(const std::stop_token& stop);
  std::string hold_connection(const std::stop_token& stop);
  void publish_queue();
  void wait_for_work() const;
};

Status MqttClient::Impl::configure() {
  if (options.client_id.empty() || options.client_id.size() > 64)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("MQTT: client id '{}' was not taken, expected 1 to 64 plain characters", options.client_id));
  mqtt::SessionOptions wanted;
  wanted.host = options.host;
  wanted.port = options.port;
  wanted.tls = {.on = true, .ca_file = options.ca_file, .certificate_file = options.certificate_file, .key_file = options.key_file};
  wanted.connect.version = mqtt::Version::k311;
  wanted.connect.client_id = options.client_id;
  wanted.connect.keep_alive_s = kKeepAliveSeconds;
  if (!options.will_topic.empty()) wanted.connect.will = {.topic = options.will_topic, .payload = options.will_payload};
  for (const auto& filter : options.subscriptions) wanted.subscriptions.push_back({.filter = filter, .qos = 1});
  wanted.largest_packet = kLargestPacket;
  MORU_ASSIGN_OR_RETURN(auto made, mqtt::Session::make(std::move(wanted), system_clock(), *this));
  session.emplace(std::move(made));
  return {};
}

void MqttClient::Impl::on_message(const mqtt::Message& message) {
  if (options.on_message) options.on_message(message.topic, message.payload);
  if (message.delivery != 0) session->acknowledge(message.delivery);
}

void MqttClient::Impl::publish_queue() {
  std::vector<Outgoing> taken;
  {
    const std::lock_guard lock(mutex);
    taken.swap(queue);
  }
  for (const auto& message : taken) session->publish(message.topic, message.payload, message.qos, message.retain);
}

void MqttClient::Impl::wait_for_work() const {
  const TimeNs left = std::clamp<TimeNs>(session->deadline() - system_clock().steady_now(), 0, kLongestWait);
  std::array<pollfd, 2> entries = {{{.fd = session->fd(), .events = session->events(), .revents = 0},  //
                                    {.fd = wake.fd(), .events = POLLIN, .revents = 0}}};
  ::poll(entries.data(), entries.size(), static_cast<int>(left / kMillisecond + 1));
  if (entries[1].revents != 0) wake.drain();
}

/// One connection from its first packet to its end; says why it ended.
std::string MqttClient::Impl::hold_connection(const std::stop_token& stop) {
  if (const auto begun = session->connect(); !begun) return begun.error().message;
  while (!stop.stop_requested()) {
    publish_queue();
    const auto more = session->handle();
    if (!more) return more.error().message;
    unanswered = session->unanswered();
    if (session->connected() && !connected.exchange(true) && options.on_connection) options.on_connection(true, "connected");
    if (!*more) wait_for_work();
  }
  return {};
}

void MqttClient::Impl::run(const std::stop_token& stop) {
  ::pthread_setname_np(::pthread_self(), "mqtt");
  Rng rng(static_cast<std::uint64_t>(system_clock().wall_now()) ^ (static_cast<std::uint64_t>(::getpid()) << 32U));
  TimeNs back_off = kFirstBackOff;
  while (!stop.stop_requested()) {
    const TimeNs began = system_clock().steady_now();
    const std::string reason = hold_connection(stop);
    if (stop.stop_requested()) break;
    connected = false;
    if (options.on_connection) options.on_connection(false, reason);
    // A connection that held for a while earns a quick first attempt; one that breaks at once does not.
    if (system_clock().steady_now() - began > kLongestBackOff) back_off = kFirstBackOff;
    // Between half and all of the back-off, so that a thousand nodes do not come back in step.
    const auto pause = static_cast<TimeNs>(static_cast<double>(back_off) * (0.5 + rng.uniform() / 2));
    back_off = std::min(back_off * 2, kLongestBackOff);
    std::unique_lock lock(mutex);
    changed.wait_for(lock, stop, std::chrono::nanoseconds(pause), [] { return false; });
  }
  connected = false;
  publish_queue();  // what was handed on goes out before the good-bye, so that the broker does not publish the will
  session->disconnect();
}

MqttClient::MqttClient() : impl_(std::make_unique<Impl>()) {}

Result<std::unique_ptr<MqttClient>> MqttClient::start(MqttOptions options) {
  std::unique_ptr<MqttClient> client(new MqttClient());
  client->impl_->options = std::move(options);
  MORU_RETURN_IF_ERROR(client->impl_->configure());
  try {
    client->impl_->thread = std::jthread([impl = client->impl_.get()](const std::stop_token& stop) { impl->run(stop); });
  } catch (const std::system_error& error) {
    return fail(ErrorCode::kResourceExhausted, fmt::format("MQTT: thread: {}, expected one more thread to be had", error.what()));
  }
  return client;
}

MqttClient::~MqttClient() {
  impl_->thread.request_stop();
  impl_->wake.ring();
}

bool MqttClient::connected() const { return impl_->connected; }

Status MqttClient::publish(const std::string& topic, std::string_view payload, int qos, bool retain) {
  const auto where = [&] { return fmt::format("{}:{}", impl_->options.host, impl_->options.port); };
  if (!impl_->connected) return fail(ErrorCode::kUnavailable, fmt::format("MQTT: not connected to {}, expected a connection", where()));
  if (!mqtt::is_topic(topic) || qos < 0 || qos > 1) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("MQTT: publish to '{}' with QoS {}: expected a topic without wildcards and QoS 0 or 1", topic, qos));
  }
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->queue.size() + impl_->unanswered >= kMostUnanswered)
      return fail(ErrorCode::kUnavailable, fmt::format("MQTT: {} messages wait for {}, expected less", kMostUnanswered, where()));
    impl_->queue.push_back({.topic = topic, .payload = std::string(payload), .qos = static_cast<std::uint8_t>(qos), .retain = retain});
  }
  impl_->wake.ring();
  return {};
}

}  // namespace moru::wire
