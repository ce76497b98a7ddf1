// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <mutex>

#include "core/clock.h"

namespace moru::edge {

/// A clock whose wall time does not go back when the machine's is set back: event times made of it would all be late until the old
/// time is reached again. It goes on at half speed until the machine's has caught up. Set back by more than a day it follows: then
/// the time before was wrong altogether. Threads: as Clock.
class SteadyWall final : public Clock {
 public:
  explicit SteadyWall(Clock& clock) : clock_(clock), last_(clock.wall_now()), last_steady_(clock.steady_now()) {}

  TimeNs wall_now() const override {
    const TimeNs wall = clock_.wall_now();
    const std::lock_guard lock(mutex_);
    const TimeNs steady = clock_.steady_now();
    const TimeNs least = last_ + (steady - last_steady_) / 2;
    last_steady_ = steady;
    last_ = wall < least - kLargestStep ? wall : std::max(wall, least);
    return last_;
  }
  TimeNs steady_now() const override { return clock_.steady_now(); }
  void wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, TimeNs deadline) override {
    clock_.wait_until(lock, wake, deadline);
  }

 private:
  static constexpr TimeNs kLargestStep = 24 * 3600 * kSecond;
  Clock& clock_;
  mutable std::mutex mutex_;
  mutable TimeNs last_;
  mutable TimeNs last_steady_;
};

}  // namespace moru::edge
