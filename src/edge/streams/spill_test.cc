// SPDX-License-Identifier: Apache-2.0
// A queue that goes on on disk: nothing waits, nothing is lost, and what a kill has left comes first in the next run.
#include "edge/streams/spill.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <numeric>
#include <set>

#include "edge/streams/flow_for_test.h"
#include "edge/streams/inbox.h"

namespace moru::edge::testing {
namespace {

using ::testing::HasSubstr;

class SpillTest : public FlowTest {
 protected:
  SpillTest() : folder_(std::move(*TempFolder::create("moru-spill"))) {}
  std::unique_ptr<Stream> run(std::string_view source, Clock* clock = nullptr, std::string_view spill = "") {
    return start(fmt::format("    - {{name: in, stage: {}}}\n    - {{name: out, stage: gate, inputs: [in], queue: 4, overflow: spill{}}}\n",
                             source, spill),
                 clock, folder_.path());
  }
  static std::vector<std::uint64_t> numbers(std::uint64_t from, std::uint64_t to) {
    std::vector<std::uint64_t> list(to - from + 1);
    std::iota(list.begin(), list.end(), from);
    return list;
  }
  TempFolder folder_;
};

TEST_F(SpillTest, HoldsNobodyUpAndKeepsTheOrder) {
  bench_->set_gate(false);
  const auto stream = run("ticks, options: {items: 3000}");
  wait_for([&] { return stream->state().state == "draining"; });  // the source has not waited
  auto state = stream->state();
  expect_balanced(state);
  EXPECT_GE(link(state, "in->out").stored, 2900U);
  bench_->set_gate(true);
  while (!stream->finished()) expect_balanced(stream->state());
  state = stream->state();
  EXPECT_EQ(state.state, "finished");
  EXPECT_EQ(link(state, "in->out").out, 3000U);
  EXPECT_EQ(link(state, "in->out").stored, 0U);
  EXPECT_EQ(bench_->collected(), numbers(1, 3000));
}

TEST_F(SpillTest, WhatLiesOnDiskIsAcknowledged) {
  bench_->set_gate(false);
  const auto stream = run("letters, options: {items: 500}");
  wait_for([&] { return bench_->settled().contains(500); });
  EXPECT_FALSE(bench_->settled().contains(1));  // in memory, and nobody has it yet
  EXPECT_EQ(bench_->settled().at(500), Outcome::kDone);
  bench_->set_gate(true);
  wait_for([&] { return stream->finished(); });
  EXPECT_EQ(bench_->settled().size(), 500U);
  EXPECT_EQ(bench_->collected(), numbers(1, 500));
}

TEST_F(SpillTest, AStopLeavesItOnDiskForTheNextRun) {
  bench_->set_gate(false);
  auto stream = run("ticks, options: {items: 300}");
  wait_for([&] { return stream->state().state == "draining"; });
  stream->stop();
  const auto state = stream->state();
  expect_balanced(state);
  const auto stored = link(state, "in->out").stored;
  EXPECT_GE(stored, 250U);
  EXPECT_TRUE(bench_->collected().empty());
  stream.reset();
  bench_->set_gate(true);
  stream = run("ticks, options: {items: 100, first: 301}");
  while (!stream->finished()) expect_balanced(stream->state());
  const auto collected = bench_->collected();
  // Those that the stop has dropped from the sink's hands lay on disk, too, where they came from there.
  ASSERT_GE(collected.size(), stored + 100);
  EXPECT_TRUE(std::ranges::is_sorted(collected));
  EXPECT_EQ(collected.back(), 400U);
  EXPECT_EQ(link(stream->state(), "in->out").in, collected.size());
  stream.reset();
  stream = run("ticks, options: {items: 0}");
  wait_for([&] { return stream->finished(); });
  EXPECT_EQ(bench_->collected().size(), collected.size());  // all had been stored: nothing comes again
}

TEST_F(SpillTest, WhatItsReceiverCouldNotTakeComesAgain) {
  FakeClock clock;
  bench_->set_gate(false);
  const auto stream = run("ticks, options: {items: 50, silent: true}", &clock);
  wait_for([&] { return link(stream->state(), "in->out").in == 50U; });
  bench_->failures = 20;
  bench_->set_gate(true);
  wait_for([&] {
    clock.advance(50 * kMillisecond);
    const auto collected = bench_->collected();
    return std::set(collected.begin(), collected.end()).size() >= 45;
  });
  const auto state = stream->state();
  expect_balanced(state);
  EXPECT_THAT(row(state, "out").dropped,
              ::testing::ElementsAre(::testing::Pair("error: unavailable", 20U)));  // those in memory were dropped
  stream->stop();
}

/// A queue of one item that goes on on disk, and another, as their reader sees them.
class SpilledQueue : public SpillTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(inbox_.open_spills({.clock = &clock_, .resources = {}, .stream = "test", .state = folder_.path(), .stop = {}}));
  }
  void put(std::size_t link, std::size_t count) {
    std::vector<Element> batch(count);
    inbox_.push(link, batch);
  }
  /// "0", "1": an item of that link; "end 0"; "nothing" at the deadline; "over".
  std::string take(TimeNs deadline = kNeverDue) {
    const auto taken = inbox_.take(batch_, {.limit = 1, .clock = &clock_, .deadline = deadline});
    if (!taken) return "over";
    if (taken->ended) return fmt::format("end {}", taken->link);
    return batch_.empty() ? "nothing" : fmt::format("{}", taken->link);
  }
  std::uint64_t in_flight() {
    const std::lock_guard lock(mutex_);
    inbox_.settle();
    std::vector<wire::LinkLedger> rows;
    inbox_.add_ledger(rows);
    return rows[0].in_flight + rows[1].in_flight;
  }
  std::mutex mutex_;
  FakeClock clock_;
  std::vector<Element> batch_;
  Inbox inbox_{{{.name = "a->c", .capacity = 1, .overflow = OverflowPolicy::kSpill},
                {.name = "b->c", .capacity = 4, .overflow = OverflowPolicy::kBlock}},
               mutex_};
};

TEST_F(SpilledQueue, WhatComesBackBehindItsEndIsTakenBeforeTheLastEndIsTold) {
  put(0, 2);
  inbox_.close(0);
  EXPECT_EQ(take(), "0");
  EXPECT_EQ(take(), "0");
  batch_[0].item.receipt.revoke();
  batch_.clear();  // it comes again after a pause
  EXPECT_EQ(take(), "end 0");
  put(1, 1);
  EXPECT_EQ(take(), "1");
  inbox_.close(1);
  clock_.advance(kSecond);
  EXPECT_EQ(take(), "0");
  EXPECT_EQ(take(), "end 1");
  EXPECT_EQ(take(), "over");
  EXPECT_EQ(in_flight(), 0U);
}

TEST_F(SpilledQueue, AtTheDeadlineWhatLiesOnDiskIsNoEnd) {
  put(0, 2);
  EXPECT_EQ(take(), "0");
  batch_.clear();
  EXPECT_EQ(take(clock_.steady_now()), "0");
  batch_[0].item.receipt.revoke();
  batch_.clear();
  const TimeNs soon = clock_.steady_now() + kSecond;
  std::jthread time([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) clock_.advance(2 * kSecond);
  });
  EXPECT_EQ(take(soon), "0") << "it came back from disk while its reader waited";
  time.request_stop();
  time.join();
  EXPECT_EQ(take(clock_.steady_now()), "nothing");
}

TEST_F(SpillTest, TimeKeepsItsPlaceAmongTheItems) {
  const auto stream = start(
      "    - {name: in, stage: ticks, options: {items: 1000, step_ms: 10}}\n"
      "    - {name: second, stage: window, inputs: [in], queue: 1, overflow: spill, options: {kind: tumbling, size_ms: 1000, set: {n: "
      "count()}}}\n"
      "    - {name: out, stage: gate, inputs: [second]}\n",
      nullptr, folder_.path());
  wait_for([&] { return stream->finished(); });
  const auto state = stream->state();
  expect_balanced(state);
  EXPECT_EQ(row(state, "second").used, 1000U);  // none was late
  EXPECT_GE(bench_->collected().size(), 10U);
}

TEST_F(SpillTest, AtItsLimitTheWriterWaits) {
  bench_->set_gate(false);
  const auto stream = run("ticks, options: {items: 400, bytes: 10000}", nullptr, ", spill: {limit_mb: 1}");
  wait_for([&] { return link(stream->state(), "in->out").stored > 80U; });
  EXPECT_EQ(stream->state().state, "running");
  EXPECT_LT(link(stream->state(), "in->out").stored, 110U);
  bench_->set_gate(true);
  wait_for([&] { return stream->finished(); });
  expect_balanced(stream->state());
  EXPECT_EQ(bench_->collected(), numbers(1, 400));
}

TEST_F(SpillTest, AStopAtTheLimitHangsNobody) {
  bench_->set_gate(false);
  const auto stream = run("ticks, options: {items: 400, bytes: 10000}", nullptr, ", spill: {limit_mb: 1}");
  wait_for([&] { return link(stream->state(), "in->out").stored > 80U; });
  stream->stop();
  expect_balanced(stream->state());
}

TEST_F(SpillTest, NeedsAFolder) {
  auto spec = read("    - {name: in, stage: ticks}\n    - {name: out, stage: gate, inputs: [in], overflow: spill}\n");
  ASSERT_TRUE(spec);
  const auto stream = Stream::start(*spec, {.clock = nullptr, .resources = {{"bench", bench_}}, .stream = {}, .stop = {}});
  EXPECT_THAT(stream.error().message, HasSubstr("link 'in->out': found no folder to go on in on disk"));
  EXPECT_THAT(read("    - {name: in, stage: ticks}\n    - {name: out, stage: gate, inputs: [in], spill: {limit_mb: 5}}\n").error().message,
              HasSubstr("expected it with overflow: spill only"));
}

/// Runs a stream with a closed gate and says over the pipe what it was told is stored. Never returns.
[[noreturn]] void run_child(const StreamSpec& spec, const Path& folder, int pipe) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto bench = std::make_shared<Bench>();
  bench->set_gate(false);
  bench->on_settled = [pipe](std::uint64_t sequence, Outcome outcome) {
    if (outcome == Outcome::kDone && ::write(pipe, &sequence, sizeof(sequence)) != sizeof(sequence)) ::_exit(3);
  };
  const auto stream = Stream::start(spec, {.clock = nullptr, .resources = {{"bench", bench}}, .stream = {}, .state = folder, .stop = {}});
  if (!stream) ::_exit(4);
  ::pause();
  ::_exit(5);
}

TEST_F(SpillTest, WhatWasAcknowledgedIsThereAfterAKill) {
  const std::string_view stages =
      "    - {{name: in, stage: letters, options: {{items: 1000000, first: {}, bytes: 100}}}}\n"
      "    - {{name: out, stage: gate, inputs: [in], queue: 4, overflow: spill}}\n";
  std::set<std::uint64_t> acknowledged;
  for (std::uint64_t round = 0; round < 5; ++round) {
    const auto spec = read(fmt::format(fmt::runtime(stages), 1 + round * 1'000'000));
    ASSERT_TRUE(spec) << spec.error().message;
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) run_child(*spec, folder_.path(), ends[1]);
    ::close(ends[1]);
    std::uint64_t sequence = 0;
    for (std::uint64_t i = 0; i < 50 + 37 * round && ::read(ends[0], &sequence, sizeof(sequence)) == sizeof(sequence); ++i)
      acknowledged.insert(sequence);
    ::kill(child, SIGKILL);
    while (::read(ends[0], &sequence, sizeof(sequence)) == sizeof(sequence)) acknowledged.insert(sequence);
    ::close(ends[0]);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  }
  EXPECT_GE(acknowledged.size(), 50U * 5);
  const auto stream = run("letters, options: {items: 0}");
  wait_for([&] { return stream->finished(); });
  const auto collected = bench_->collected();
  const std::set<std::uint64_t> all(collected.begin(), collected.end());
  for (const std::uint64_t one : acknowledged) ASSERT_TRUE(all.contains(one)) << one;
}

}  // namespace
}  // namespace moru::edge::testing
