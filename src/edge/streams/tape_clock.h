// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <thread>

#include "core/clock.h"

namespace moru::edge {

/// What the stages of a recorded or replayed stream see as time: on their own thread that of the element at hand, so that a replay shows
/// them the same; on every other thread the machine's. Before begin() it stands still for all. Threads: set() from the one that called
/// begin(), the rest from any.
class TapeClock final : public Clock {
 public:
  /// `real` is borrowed.
  TapeClock(Clock& real, TimeNs wall, TimeNs steady) : real_(real), wall_(wall), steady_(steady) {}
  void begin() { owner_ = std::this_thread::get_id(); }
  void set(TimeNs wall, TimeNs steady) {
    wall_ = wall;
    steady_ = steady;
  }
  TimeNs wall_now() const override { return shows_tape() ? wall_.load() : real_.wall_now(); }
  TimeNs steady_now() const override { return shows_tape() ? steady_.load() : real_.steady_now(); }
  /// The stages' thread really waits so long, and then it is that time for it.
  void wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, TimeNs deadline) override {
    if (!shows_tape()) return real_.wait_until(lock, wake, deadline);
    const TimeNs length = deadline - steady_;
    const TimeNs end = real_.steady_now() + length;
    if (length > 0) real_.wait_until(lock, wake, end);
    const bool owns = owner_.load() == std::this_thread::get_id();
    if (owns && length > 0 && real_.steady_now() >= end) set(wall_ + length, deadline);
  }

 private:
  bool shows_tape() const {
    const auto owner = owner_.load();
    return owner == std::thread::id() || owner == std::this_thread::get_id();
  }

  Clock& real_;
  std::atomic<TimeNs> wall_;
  std::atomic<TimeNs> steady_;
  std::atomic<std::thread::id> owner_ = {};
};

}  // namespace moru::edge
