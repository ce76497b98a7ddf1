// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "core/clock.h"

namespace moru::edge {

/// How a source waits for the time of its next item: parked, and never so long that a stop is not seen.
class Pace {
 public:
  /// Waits until `due` (monotonic), or as long as one call of produce() may; returns the time.
  TimeNs wait_for(Clock& clock, TimeNs due) {
    constexpr TimeNs kLongestWait = 50 * kMillisecond;
    TimeNs now = clock.steady_now();
    const TimeNs deadline = std::min(due, now + kLongestWait);
    std::unique_lock lock(mutex_);
    while (now < deadline) {
      clock.wait_until(lock, wake_, deadline);
      now = clock.steady_now();
    }
    return now;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace moru::edge
