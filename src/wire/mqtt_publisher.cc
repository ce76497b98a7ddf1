// SPDX-License-Identifier: Apache-2.0
#include "wire/mqtt_publisher.h"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <system_error>
#include <utility>

#include "core/clock.h"
#include "core/log.h"
#include "core/random.h"

namespace moru::wire::mqtt {
namespace {

constexpr TimeNs kFirstBackOff = 100 * kMillisecond;
constexpr TimeNs kLongestBackOff = 5 * kSecond;
/// What may wait for the socket before publish() waits, too.
constexpr std::size_t kMostUnwritten = std::size_t{256} << 10U;

}  // namespace

Result<std::unique_ptr<Publisher>> Publisher::start(SessionOptions options, std::size_t most_unanswered, Answered answered) {
  std::unique_ptr<Publisher> publisher(new Publisher(most_unanswered, std::move(answered)));
  MORU_ASSIGN_OR_RETURN(auto session, Session::make(std::move(options), system_clock(), *publisher));
  publisher->session_ = std::make_unique<Session>(std::move(session));
  publisher->trouble_ = fmt::format("MQTT broker {}: not connected yet", publisher->session_->broker());
  try {
    publisher->thread_ = std::jthread([self = publisher.get()](const std::stop_token& stop) { self->run(stop); });
  } catch (const std::system_error& error) {
    return fail(ErrorCode::kResourceExhausted, fmt::format("MQTT: thread: {}, expected one more thread to be had", error.what()));
  }
  return publisher;
}

Publisher::~Publisher() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  wake_.ring();
  thread_.join();
}

void Publisher::wake() {
  if (!std::exchange(polling_, false)) return;  // it looks again before it polls
  wake_.ring();
}

void Publisher::on_published(std::uint64_t number, std::uint8_t code) {
  if (answered_) answered_(number, code);
}

Result<std::uint64_t> Publisher::publish(std::string_view topic, std::string_view payload, std::uint8_t qos, bool retain,
                                         const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const bool room = changed_.wait(lock, stop, [&] {
    if (session_->unwritten() >= kMostUnwritten) return false;
    return qos == 0 ? session_->connected() : session_->unanswered() < most_unanswered_;
  });
  if (!room) return fail(ErrorCode::kCancelled, fmt::format("MQTT broker {}: asked to stop", session_->broker()));
  const std::size_t largest = session_->largest_payload(topic);
  if (!is_topic(topic) || payload.size() > largest) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("MQTT broker {}: found a topic of {} bytes and a payload of {}, expected a topic without wildcards and at most {}",
                    session_->broker(), topic.size(), payload.size(), largest));
  }
  const std::uint64_t number = session_->publish(topic, payload, qos, retain);
  wake();
  return number;
}

bool Publisher::wait_until_answered(const std::stop_token& stop, TimeNs patience) {
  std::unique_lock lock(mutex_);
  if (changed_.wait(lock, stop, [&] { return idle(); })) return true;
  const auto longest = std::chrono::nanoseconds(session_->connected() ? patience : 0);
  return changed_.wait_for(lock, longest, [&] { return idle() || !session_->connected(); }) && idle();
}

std::string Publisher::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void Publisher::fail_and_pause(const std::string& why, std::unique_lock<std::mutex>& lock, const std::stop_token& stop) {
  // A connection that held for a while earns a quick first attempt and a line in the log; one that breaks at once does not.
  const bool held = connected_at_ != 0 && system_clock().steady_now() - connected_at_ > kLongestBackOff;
  if (held) back_off_ = 0;
  if (back_off_ == 0) MORU_LOG(kWarn, "no connection to the broker", "reason", why);
  connected_at_ = 0;
  trouble_ = why;
  back_off_ = std::clamp(back_off_ * 2, kFirstBackOff, kLongestBackOff);
  // Between half and all of it, so that a thousand clients do not come back in step.
  static thread_local Rng random(static_cast<std::uint64_t>(system_clock().wall_now()));
  const double share = 0.5 + random.uniform() / 2;
  changed_.notify_all();
  changed_.wait_for(lock, stop, std::chrono::nanoseconds(static_cast<TimeNs>(static_cast<double>(back_off_) * share)),
                    [] { return false; });
}

void Publisher::wait_for_work(std::unique_lock<std::mutex>& lock) {
  std::array<pollfd, 2> entries = {{{.fd = session_->fd(), .events = session_->events(), .revents = 0},  //
                                    {.fd = wake_.fd(), .events = POLLIN, .revents = 0}}};
  constexpr TimeNs kLongest = 60 * kSecond;
  const TimeNs left = std::clamp<TimeNs>(session_->deadline() - system_clock().steady_now(), 0, kLongest);
  polling_ = true;
  lock.unlock();
  const int ready = ::poll(entries.data(), entries.size(), static_cast<int>(left / kMillisecond + 1));
  if (ready > 0 && entries[1].revents != 0) wake_.drain();
  lock.lock();
  polling_ = false;
}

void Publisher::run(const std::stop_token& stop) {
  ::pthread_setname_np(::pthread_self(), "mqtt");
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (!session_->connecting()) {
      if (const auto begun = session_->connect(); !begun) {
        fail_and_pause(begun.error().message, lock, stop);
        continue;
      }
    }
    // First what publish() has made ready: it leaves in one piece with what was made ready while the socket was busy.
    const auto more = session_->handle();
    if (!more) {
      fail_and_pause(more.error().message, lock, stop);
      continue;
    }
    if (session_->connected() && connected_at_ == 0) {
      connected_at_ = system_clock().steady_now();
      trouble_.clear();
    }
    changed_.notify_all();
    if (!*more && session_->deadline() > system_clock().steady_now()) wait_for_work(lock);
  }
  session_->disconnect();
}

}  // namespace moru::wire::mqtt
