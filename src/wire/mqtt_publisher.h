// SPDX-License-Identifier: Apache-2.0
// Hands messages to a broker from any thread, connects again by itself, and says when the broker has taken them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "wire/mqtt_session.h"
#include "wire/wake.h"

namespace moru::wire::mqtt {

/// Threads: all functions from any thread. A thread of its own owns the connection; it is parked while nothing is to do.
class Publisher final : private SessionListener {
 public:
  /// The broker's answer to a message of QoS 1; below 0x80 it has taken it. Called on the publisher's thread; must be quick and may not
  /// call the publisher.
  using Answered = std::function<void(std::uint64_t number, std::uint8_t code)>;

  /// Starts connecting in the background and keeps trying (back-off 0.1 s to 5 s) until it is destroyed. `most_unanswered`: messages of
  /// QoS 1 that wait for their answer, in memory. Errors: certificates; no thread.
  static Result<std::unique_ptr<Publisher>> start(SessionOptions options, std::size_t most_unanswered, Answered answered);
  /// Says good-bye. What has no answer by now may have reached the broker or not.
  ~Publisher() override;

  /// Waits until there is room for it (QoS 1), or until there is a connection and what went before is nearly written (QoS 0). Returns its
  /// number, of QoS 1 from 1. Errors: kCancelled when `stop` is asked for, kInvalidArgument for what the broker cannot take.
  Result<std::uint64_t> publish(std::string_view topic, std::string_view payload, std::uint8_t qos, bool retain,
                                const std::stop_token& stop);
  /// Waits until everything is written and answered. False when `stop` was asked for and the broker is not there, or takes more than
  /// `patience` (monotonic) then.
  bool wait_until_answered(const std::stop_token& stop, TimeNs patience);
  /// "127.0.0.1:1883: Connection refused, ..." while it is not connected; empty while it is.
  std::string trouble() const;

 private:
  Publisher(std::size_t most_unanswered, Answered answered) : most_unanswered_(most_unanswered), answered_(std::move(answered)) {}
  void on_published(std::uint64_t number, std::uint8_t code) override;
  void run(const std::stop_token& stop);
  void fail_and_pause(const std::string& why, std::unique_lock<std::mutex>& lock, const std::stop_token& stop);
  void wait_for_work(std::unique_lock<std::mutex>& lock);
  bool idle() const { return session_->unanswered() == 0 && session_->unwritten() == 0; }
  void wake();

  const std::size_t most_unanswered_;
  const Answered answered_;
  Wake wake_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::unique_ptr<Session> session_;
  std::string trouble_;
  TimeNs back_off_ = 0;      // of the last attempt
  TimeNs connected_at_ = 0;  // monotonic; 0: not connected
  bool polling_ = false;     // the thread is, or is about to be, in poll()
  std::jthread thread_;      // last: it uses all the others
};

}  // namespace moru::wire::mqtt
