// SPDX-License-Identifier: Apache-2.0
// Time, as a thing that tests can replace.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

namespace moru {

/// Nanoseconds. Wall times count from the Unix epoch, monotonic ones from an arbitrary start.
using TimeNs = std::int64_t;

inline constexpr TimeNs kMicrosecond = 1'000;
inline constexpr TimeNs kMillisecond = 1'000'000;
inline constexpr TimeNs kSecond = 1'000'000'000;

/// A source of time. Threads: all functions may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall-clock time since the Unix epoch; may jump.
  virtual TimeNs wall_now() const = 0;
  /// Time that never goes back; for durations and deadlines.
  virtual TimeNs steady_now() const = 0;
  /// Sleeps until steady_now() >= deadline, or until `wake` is notified. The lock is released meanwhile.
  /// Spurious returns are possible: call it in a loop with the condition.
  virtual void wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, TimeNs deadline) = 0;
};

/// The machine's own clock. One for the process; never destroyed.
Clock& system_clock();

/// A clock that stands still until a test moves it.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(TimeNs start = 1'700'000'000 * kSecond) : now_(start) {}
  TimeNs wall_now() const override;
  TimeNs steady_now() const override;
  void wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, TimeNs deadline) override;
  /// Moves time on and lets waiters look again.
  void advance(TimeNs by);

 private:
  mutable std::mutex mutex_;
  TimeNs now_;
};

/// "2026-11-23T17:35:00.123Z"
std::string format_utc(TimeNs wall);

}  // namespace moru
