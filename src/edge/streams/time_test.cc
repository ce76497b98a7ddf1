// SPDX-License-Identifier: Apache-2.0
// Deadlines of stages, and event time that does not come as it should.
#include <gmock/gmock.h>

#include "edge/streams/flow_for_test.h"
#include "edge/streams/steady_wall.h"

namespace moru::edge::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class TimeTest : public FlowTest {
 protected:
  TimeTest() { bench_->clock = &clock_; }
  FakeClock clock_;
};

TEST_F(TimeTest, ACallOverItsDeadlineIsCountedAndToldOnce) {
  const auto stream = start(
      "    - {name: in, stage: ticks, options: {items: 100}}\n"
      "    - {name: mid, stage: light_chance, inputs: [in], deadline_ms: 50, options: {seed: 3}}\n"
      "    - {name: late, stage: slow, inputs: [in], deadline_ms: 50}\n"
      "    - {name: a, stage: gate, inputs: [late]}\n"
      "    - {name: b, stage: gate, inputs: [mid]}\n",
      &clock_);
  wait_for([&] { return stream->finished(); });
  const auto state = stream->state();
  EXPECT_EQ(row(state, "late").overdue, 10U);
  EXPECT_THAT(state.last_error, ::testing::AnyOf(HasSubstr("mid: "),
                                                 HasSubstr("late: found 100.0 ms for one call, expected at most the deadline_ms of 50.0")));
  EXPECT_EQ(row(state, "a").consumed, 100U);
}

TEST_F(TimeTest, AStageThatHangsIsSeen) {
  bench_->set_gate(false);
  const auto stream = start(
      "    - {name: in, stage: ticks, options: {items: 5}}\n"
      "    - {name: out, stage: gate, inputs: [in], deadline_ms: 50}\n",
      &clock_);
  wait_for([&] {
    clock_.advance(kSecond);
    return stream->state().state.starts_with("overdue");
  });
  EXPECT_THAT(stream->state().state, HasSubstr("overdue: out: at one item for "));
  EXPECT_GT(row(stream->state(), "out").busy_for, 50 * kMillisecond);
  bench_->set_gate(true);
  wait_for([&] { return stream->finished(); });
  EXPECT_EQ(row(stream->state(), "out").busy_for, 0);
}

TEST_F(TimeTest, WhatComesFromTheFutureDoesNotCloseAllWindows) {
  const auto stream = start(
      "    - {name: in, stage: letters, max_ahead_ms: 100000, options: {items: 100, wild: 50}}\n"
      "    - {name: n, stage: window, inputs: [in], options: {kind: tumbling, size_ms: 10, set: {n: count()}}}\n"
      "    - {name: out, stage: gate, inputs: [n]}\n",
      &clock_);
  wait_for([&] { return stream->finished(); });
  const auto state = stream->state();
  expect_balanced(state);
  EXPECT_THAT(row(state, "in").dropped, ElementsAre(Pair("time ahead", 1U)));
  EXPECT_EQ(row(state, "n").used, 99U);
  EXPECT_EQ(bench_->settled().at(50), Outcome::kDone);  // sent again it would come from the future again
}

TEST_F(TimeTest, ASourceThatIsSilentHoldsNobodyUp) {
  const auto stream = start(
      "    - {name: quick, stage: ticks, options: {items: 100, step_ms: 1000, silent: true}}\n"
      "    - {name: quiet, stage: ticks, idle_ms: 500, options: {items: 1, silent: true}}\n"
      "    - {name: both, stage: timed_gate, inputs: [quick, quiet]}\n",
      &clock_);
  const TimeNs start_time = clock_.wall_now();
  wait_for([&] { return bench_->collected().size() == 101U; });
  EXPECT_LE(bench_->watermark, start_time + kSecond);  // the quiet one has the say
  wait_for([&] {
    clock_.advance(100 * kMillisecond);
    return bench_->watermark >= start_time + 100 * kSecond || stream->finished();
  });
  EXPECT_FALSE(stream->finished());
  stream->drain_at(0);
  wait_for([&] { return stream->finished(); });
}

TEST_F(TimeTest, OptionsStandWhereTheyHaveAMeaning) {
  const auto spec = read(
      "    - {name: in, stage: ticks, deadline_ms: 5}\n"
      "    - {name: out, stage: gate, inputs: [in], idle_ms: 5, max_ahead_ms: 5}\n");
  ASSERT_FALSE(spec);
  EXPECT_THAT(spec.error().message, HasSubstr("found deadline_ms at 'in', expected it at a stage or sink only"));
  EXPECT_THAT(spec.error().message, HasSubstr("found idle_ms at 'out', expected it at a source only"));
  EXPECT_THAT(spec.error().message, HasSubstr("found max_ahead_ms at 'out', expected it at a source only"));
}

/// A clock whose wall time can be set.
class SetClock final : public Clock {
 public:
  TimeNs wall_now() const override { return wall; }
  TimeNs steady_now() const override { return steady; }
  void wait_until(std::unique_lock<std::mutex>&, std::condition_variable&, TimeNs) override {}
  void advance(TimeNs by) {
    wall += by;
    steady += by;
  }
  TimeNs wall = 1'800'000'000 * kSecond;
  TimeNs steady = kSecond;
};

TEST(SteadyWall, DoesNotGoBackWithTheClockAndMeetsItAgain) {
  SetClock clock;
  const SteadyWall wall(clock);
  const TimeNs before = wall.wall_now();
  clock.wall -= 3600 * kSecond;
  EXPECT_EQ(wall.wall_now(), before);
  clock.advance(2 * kSecond);
  EXPECT_EQ(wall.wall_now(), before + kSecond);
  clock.advance(2 * 3600 * kSecond);
  EXPECT_EQ(wall.wall_now(), clock.wall);
  clock.wall += 3600 * kSecond;
  EXPECT_EQ(wall.wall_now(), clock.wall);  // set forward: followed
  clock.wall -= 10 * 365 * 24 * 3600 * kSecond;
  EXPECT_EQ(wall.wall_now(), clock.wall);  // it had been wrong altogether
}

}  // namespace
}  // namespace moru::edge::testing
