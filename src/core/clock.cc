// SPDX-License-Identifier: Apache-2.0
#include "core/clock.h"

#include <fmt/format.h>

#include <ctime>

namespace moru {
namespace {

class SystemClock final : public Clock {
 public:
  TimeNs wall_now() const override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
  TimeNs steady_now() const override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  void wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, TimeNs deadline) override {
    wake.wait_until(lock, std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline)));
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock* clock = new SystemClock;  // never destroyed: threads may outlive main's statics
  return *clock;
}

TimeNs FakeClock::wall_now() const { return steady_now(); }

TimeNs FakeClock::steady_now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

void FakeClock::wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, TimeNs deadline) {
  // The real wait is short, so that a waiter sees an advance() that happened between its check and its wait.
  if (steady_now() < deadline) wake.wait_for(lock, std::chrono::milliseconds(1));
}

void FakeClock::advance(TimeNs by) {
  const std::lock_guard lock(mutex_);
  now_ += by;
}

std::string format_utc(TimeNs wall) {
  TimeNs seconds = wall / kSecond;
  TimeNs rest = wall % kSecond;
  if (rest < 0) {
    rest += kSecond;
    --seconds;
  }
  const std::time_t time = seconds;
  std::tm parts{};
  gmtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                     parts.tm_min, parts.tm_sec, rest / kMillisecond);
}

}  // namespace moru
