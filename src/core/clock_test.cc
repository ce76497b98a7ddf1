// SPDX-License-Identifier: Apache-2.0
#include "core/clock.h"

#include <gtest/gtest.h>

#include <thread>

namespace moru {
namespace {

TEST(SystemClock, SteadyTimeNeverGoesBackAndWallTimeIsOfThisCentury) {
  Clock& clock = system_clock();
  TimeNs last = clock.steady_now();
  for (int i = 0; i < 1000; ++i) {
    const TimeNs now = clock.steady_now();
    ASSERT_GE(now, last);
    last = now;
  }
  EXPECT_GT(clock.wall_now(), 1'600'000'000 * kSecond);
  EXPECT_LT(clock.wall_now(), 4'100'000'000 * kSecond);
}

TEST(SystemClock, WaitEndsAtTheDeadline) {
  std::mutex mutex;
  std::condition_variable wake;
  std::unique_lock lock(mutex);
  const TimeNs deadline = system_clock().steady_now() + 5 * kMillisecond;
  while (system_clock().steady_now() < deadline) system_clock().wait_until(lock, wake, deadline);
  EXPECT_GE(system_clock().steady_now(), deadline);
}

TEST(SystemClock, WaitEndsWhenNotified) {
  std::mutex mutex;
  std::condition_variable wake;
  bool done = false;
  std::jthread notifier([&] {
    const std::lock_guard lock(mutex);
    done = true;
    wake.notify_all();
  });
  std::unique_lock lock(mutex);
  const TimeNs far = system_clock().steady_now() + 3600 * kSecond;
  while (!done) system_clock().wait_until(lock, wake, far);
  EXPECT_LT(system_clock().steady_now(), far);
}

TEST(FakeClock, StandsStillUntilItIsMoved) {
  FakeClock clock(100);
  EXPECT_EQ(clock.wall_now(), 100);
  EXPECT_EQ(clock.steady_now(), 100);
  clock.advance(kSecond);
  EXPECT_EQ(clock.wall_now(), 100 + kSecond);
  EXPECT_EQ(clock.steady_now(), 100 + kSecond);
}

TEST(FakeClock, AdvanceReleasesAWaiter) {
  FakeClock clock(0);
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<bool> released{false};
  std::jthread waiter([&] {
    std::unique_lock lock(mutex);
    while (clock.steady_now() < kSecond) clock.wait_until(lock, wake, kSecond);
    released = true;
  });
  clock.advance(kSecond - 1);
  EXPECT_FALSE(released);  // one nanosecond is missing, whatever real time has passed
  clock.advance(1);
  waiter.join();
  EXPECT_TRUE(released);
}

TEST(FormatUtc, WritesIso8601WithMilliseconds) {
  EXPECT_EQ(format_utc(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_utc(1'795'455'300 * kSecond + 123 * kMillisecond + 999), "2026-11-23T17:35:00.123Z");
  EXPECT_EQ(format_utc(951'782'400 * kSecond), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(format_utc(-1), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace moru
