// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stream.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

namespace moru::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

/// What the stages below share with their test.
class Probe final : public Resource {
 public:
  void collect(std::uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    collected_.push_back(sequence);
  }
  std::vector<std::uint64_t> collected() const {
    const std::lock_guard lock(mutex_);
    return collected_;
  }
  void opened(TimeNs now) {
    const std::lock_guard lock(mutex_);
    opened_at_.push_back(now);
  }
  std::vector<TimeNs> opened_at() const {
    const std::lock_guard lock(mutex_);
    return opened_at_;
  }
  void set_gate(bool open) {
    {
      const std::lock_guard lock(mutex_);
      open_ = open;
    }
    changed_.notify_all();
  }
  bool wait_gate(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    return changed_.wait(lock, stop, [&] { return open_; });
  }
  std::atomic<int> source_failures{0};  // how many calls of produce() fail from now on
  std::atomic<int> losses{0};           // how many items the broker fails at
  std::atomic<bool> close_fails{false};
  std::atomic<bool> corrupt{false};
  void time(TimeNs time) {
    const std::lock_guard lock(mutex_);
    times_.push_back(time);
  }
  std::vector<TimeNs> times() const {
    const std::lock_guard lock(mutex_);
    return times_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::uint64_t> collected_;
  std::vector<TimeNs> opened_at_;
  std::vector<TimeNs> times_;
  bool open_ = true;
};

class Numbers final : public SourceStage {
 public:
  explicit Numbers(std::uint64_t items) : end_(items) {}
  Status open(const StageContext& context) override {
    probe_ = context.resource<Probe>("probe");
    if (probe_) probe_->opened(context.clock->steady_now());
    return {};
  }
  Result<bool> produce(Output& output) override {
    if (probe_->source_failures > 0) {
      --probe_->source_failures;
      return fail(ErrorCode::kUnavailable, "the camera does not answer");
    }
    if (probe_->corrupt) return fail(ErrorCode::kCorrupt, "the file is damaged");
    if (next_ >= end_) return false;
    Item item;
    item.sequence = ++next_;
    output.emit(std::move(item));
    return true;
  }
  void drain_at(std::uint64_t items) override { end_ = items; }
  std::uint64_t missed() const override { return 3; }

 private:
  std::shared_ptr<Probe> probe_;
  std::uint64_t next_ = 0;
  std::atomic<std::uint64_t> end_;
};

/// Seven items a call, one a millisecond of event time.
class Ticks final : public SourceStage {
 public:
  explicit Ticks(std::uint64_t items) : end_(items) {}
  Status open(const StageContext&) override { return {}; }
  Result<bool> produce(Output& output) override {
    for (int i = 0; i < 7 && next_ < end_; ++i) {
      Item item;
      item.sequence = ++next_;
      item.event_time = static_cast<TimeNs>(next_) * kMillisecond;
      output.emit(std::move(item));
    }
    return next_ < end_;
  }
  void drain_at(std::uint64_t items) override { end_ = items; }

 private:
  std::uint64_t next_ = 0;
  std::atomic<std::uint64_t> end_;
};

class Pass : public Stage {
 public:
  Status open(const StageContext&) override { return {}; }
  Status process(Item&& item, Output& output) override {
    output.emit(std::move(item));
    return {};
  }
};

/// Fails every third item and filters every fifth.
class Picky final : public Stage {
 public:
  Status open(const StageContext&) override { return {}; }
  Status process(Item&& item, Output& output) override {
    if (item.sequence % 3 == 0) return fail(ErrorCode::kCorrupt, fmt::format("item {} is bad", item.sequence));
    if (item.sequence % 5 == 0) {
      output.drop("filtered");
      return {};
    }
    output.emit(std::move(item));
    return {};
  }
};

/// Notes how time goes on.
class Times final : public Stage {
 public:
  Status open(const StageContext& context) override {
    probe_ = context.resource<Probe>("probe");
    return {};
  }
  Status process(Item&& item, Output& output) override {
    output.emit(std::move(item));
    return {};
  }
  void watermark(TimeNs time, Output&) override { probe_->time(time); }

 private:
  std::shared_ptr<Probe> probe_;
};

/// Loses its connection at the first items.
class Broker final : public Stage {
 public:
  Status open(const StageContext& context) override {
    probe_ = context.resource<Probe>("probe");
    probe_->opened(context.clock->steady_now());
    lost_ = false;
    return {};
  }
  Status process(Item&&, Output&) override {
    if (probe_->losses == 0) return {};
    --probe_->losses;
    lost_ = true;
    return fail(ErrorCode::kUnavailable, "no broker");
  }
  bool lost() const override { return lost_; }

 private:
  std::shared_ptr<Probe> probe_;
  bool lost_ = false;
};

/// Waits for the probe's gate before the first item (`early`), or at each.
class Gate final : public Stage {
 public:
  explicit Gate(bool early) : early_(early) {}
  Status open(const StageContext& context) override {
    probe_ = context.resource<Probe>("probe");
    if (!probe_) return fail(ErrorCode::kNotFound, "gate: found no probe, expected one");
    stop_ = context.stop;
    return {};
  }
  Status prepare() override { return early_ ? wait() : Status(); }
  Status process(Item&& item, Output& output) override {
    MORU_RETURN_IF_ERROR(wait());
    output.emit(std::move(item));
    return {};
  }
  std::string waiting_for() const override { return waiting_ ? "the gate" : ""; }

 private:
  Status wait() {
    waiting_ = true;
    const bool opened = probe_->wait_gate(stop_);
    waiting_ = false;
    if (!opened) return fail(ErrorCode::kCancelled, "stopped");
    return {};
  }
  const bool early_;
  std::shared_ptr<Probe> probe_;
  std::stop_token stop_;
  std::atomic<bool> waiting_{false};
};

class Collect final : public Stage {
 public:
  Status open(const StageContext& context) override {
    probe_ = context.resource<Probe>("probe");
    return {};
  }
  Status process(Item&& item, Output&) override {
    probe_->collect(item.sequence);
    return {};
  }
  Status close() override {
    if (probe_->close_fails) return fail(ErrorCode::kIo, "no space");
    return {};
  }

 private:
  std::shared_ptr<Probe> probe_;
};

Result<std::unique_ptr<SourceStage>> make_numbers(const ConfigObject& object) {
  std::int64_t items = 0;
  ConfigReader reader(object);
  reader.required("items", &items);
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<Numbers>(static_cast<std::uint64_t>(items));
}
Result<std::unique_ptr<SourceStage>> make_ticks(const ConfigObject& object) {
  std::int64_t items = 0;
  ConfigReader reader(object);
  reader.required("items", &items);
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<Ticks>(static_cast<std::uint64_t>(items));
}
template <class T>
Result<std::unique_ptr<Stage>> make(const ConfigObject&) {
  return std::make_unique<T>();
}
Result<std::unique_ptr<Stage>> make_gate(const ConfigObject& object) { return std::make_unique<Gate>(object.find("early").has_value()); }

const StageSpec kNumbers{.name = "numbers", .kind = StageKind::kSource, .doc = "", .example = "", .create_source = make_numbers};
const StageSpec kPass{.name = "pass", .kind = StageKind::kStage, .doc = "", .example = "", .create = make<Pass>};
const StageSpec kPicky{.name = "picky", .kind = StageKind::kStage, .doc = "", .example = "", .create = make<Picky>};
const StageSpec kGate{.name = "gate", .kind = StageKind::kStage, .doc = "", .example = "", .create = make_gate};
const StageSpec kCollect{.name = "collect", .kind = StageKind::kSink, .doc = "", .example = "", .create = make<Collect>};
const StageSpec kTicks{.name = "ticks", .kind = StageKind::kSource, .doc = "", .example = "", .create_source = make_ticks};
const StageSpec kLight{.name = "light", .kind = StageKind::kStage, .doc = "", .example = "", .create = make<Pass>, .light = true};
const StageSpec kTimes{.name = "times", .kind = StageKind::kStage, .doc = "", .example = "", .create = make<Times>, .timed = true};
const StageSpec kBroker{.name = "broker", .kind = StageKind::kSink, .doc = "", .example = "", .create = make<Broker>};
constexpr std::array<const StageSpec*, 9> kTable = {&kNumbers, &kPass, &kPicky, &kGate, &kCollect, &kTicks, &kLight, &kTimes, &kBroker};

class StreamTest : public ::testing::Test {
 protected:
  std::unique_ptr<Stream> start(std::string_view stages, Clock* clock = nullptr) {
    const auto text = fmt::format("apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {{name: line}}\nspec:\n  stages:\n{}", stages);
    const auto document = ConfigObject::parse(text, "line.yaml");
    EXPECT_TRUE(document);
    auto spec = read_stream(*document, kTable);
    EXPECT_TRUE(spec) << spec.error().message;
    StageContext context{.clock = clock, .resources = {{"probe", probe_}}, .stream = {}, .stop = {}};
    auto stream = Stream::start(*spec, std::move(context));
    EXPECT_TRUE(stream) << stream.error().message;
    return stream ? std::move(*stream) : nullptr;
  }
  static void wait_until_finished(const Stream& stream) {
    while (!stream.finished()) std::this_thread::yield();
  }
  template <class Condition>
  static void wait_for(Condition condition) {
    while (!condition()) std::this_thread::yield();
  }
  static const StageCounts& counts(const StreamState& state, std::string_view name) {
    for (const auto& row : state.stages) {
      if (row.name == name) return row;
    }
    ADD_FAILURE() << "no stage " << name;
    return state.stages.front();
  }
  static const wire::LinkLedger& link(const StreamState& state, std::string_view name) {
    for (const auto& row : state.ledger) {
      if (row.link == name) return row;
    }
    ADD_FAILURE() << "no link " << name;
    return state.ledger.front();
  }
  static void expect_balanced(const StreamState& state) {
    for (const auto& row : state.ledger) EXPECT_TRUE(row.balanced()) << row.link;
  }

  std::shared_ptr<Probe> probe_ = std::make_shared<Probe>();
};

TEST_F(StreamTest, PassesEveryItemInOrderAndTheLedgerAddsUp) {
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 5000}}\n"
      "    - {name: mid, stage: pass, inputs: [in], queue: 3}\n"
      "    - {name: out, stage: collect, inputs: [mid], queue: 1}\n");
  while (!stream->finished()) expect_balanced(stream->state());
  const auto state = stream->state();
  EXPECT_EQ(state.state, "finished");
  EXPECT_EQ(state.items, 5000U);
  EXPECT_EQ(state.missed, 3U);  // what the source says
  const auto collected = probe_->collected();
  ASSERT_EQ(collected.size(), 5000U);
  for (std::size_t i = 0; i < collected.size(); ++i) ASSERT_EQ(collected[i], i + 1);
  EXPECT_EQ(link(state, "in->mid").in, 5000U);
  EXPECT_EQ(link(state, "in->mid").out, 5000U);
  EXPECT_EQ(link(state, "mid->out").out, 5000U);
  EXPECT_EQ(counts(state, "out").consumed, 5000U);
  EXPECT_EQ(counts(state, "out").emitted, 0U);
  EXPECT_GT(state.latency_p99_ns, 0);
  EXPECT_GE(state.latency_p99_ns, state.latency_p50_ns);
}

TEST_F(StreamTest, FansOutAndJoins) {
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 500}}\n"
      "    - {name: a, stage: pass, inputs: [in]}\n"
      "    - {name: b, stage: pass, inputs: [in]}\n"
      "    - {name: out, stage: collect, inputs: [a, b], queue: 2}\n");
  wait_until_finished(*stream);
  auto collected = probe_->collected();
  ASSERT_EQ(collected.size(), 1000U);
  std::ranges::sort(collected);
  for (std::size_t i = 0; i < collected.size(); ++i) ASSERT_EQ(collected[i], i / 2 + 1);
  const auto state = stream->state();
  EXPECT_EQ(counts(state, "in").emitted, 500U);
  EXPECT_EQ(link(state, "a->out").out, 500U);
  EXPECT_EQ(link(state, "b->out").out, 500U);
  expect_balanced(state);
}

TEST_F(StreamTest, DropOldestKeepsTheNewestAndCountsTheRest) {
  probe_->set_gate(false);
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 100}}\n"
      "    - {name: gate, stage: gate, inputs: [in], queue: 4, overflow: drop_oldest}\n"
      "    - {name: out, stage: collect, inputs: [gate]}\n");
  wait_for([&] { return stream->state().items == 100; });
  auto state = stream->state();
  EXPECT_EQ(link(state, "in->gate").in, 100U);
  EXPECT_GE(link(state, "in->gate").in_flight, 3U);  // the stage may have taken one after the last came
  expect_balanced(state);
  probe_->set_gate(true);
  wait_until_finished(*stream);
  state = stream->state();
  EXPECT_EQ(probe_->collected().back(), 100U);
  const auto& row = link(state, "in->gate");
  EXPECT_EQ(row.out, probe_->collected().size());
  ASSERT_EQ(row.dropped.size(), 1U);
  EXPECT_EQ(row.dropped[0].first, "queue full");
  EXPECT_EQ(row.dropped[0].second, 100 - row.out);
  EXPECT_LE(row.out, 5U);  // four in the queue, and one that may have been taken before
  expect_balanced(state);
}

TEST_F(StreamTest, BlockHoldsTheSourceBack) {
  probe_->set_gate(false);
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 100}}\n"
      "    - {name: gate, stage: gate, inputs: [in], queue: 4}\n"
      "    - {name: out, stage: collect, inputs: [gate]}\n");
  wait_for([&] { return stream->state().items == 5; });  // one in the stage, four in its queue
  EXPECT_EQ(stream->state().state, "waiting for the gate");
  EXPECT_EQ(link(stream->state(), "in->gate").in, 5U);
  probe_->set_gate(true);
  wait_until_finished(*stream);
  EXPECT_EQ(probe_->collected().size(), 100U);
}

TEST_F(StreamTest, CountsErrorsAndFilteredItemsWithTheirReason) {
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 30}}\n"
      "    - {name: picky, stage: picky, inputs: [in]}\n"
      "    - {name: out, stage: collect, inputs: [picky]}\n");
  wait_until_finished(*stream);
  const auto state = stream->state();
  EXPECT_EQ(state.state, "finished");
  EXPECT_EQ(state.last_error, "picky: item 30 is bad");
  const auto& row = counts(state, "picky");
  EXPECT_EQ(row.consumed, 30U);
  EXPECT_EQ(row.emitted, 16U);
  EXPECT_THAT(row.dropped, ElementsAre(Pair("error: " + std::string(to_string(ErrorCode::kCorrupt)), 10U), Pair("filtered", 4U)));
}

TEST_F(StreamTest, TheSourceBeginsOnlyWhenEveryStageIsPrepared) {
  probe_->set_gate(false);
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 10}}\n"
      "    - {name: gate, stage: gate, inputs: [in], options: {early: 1}}\n"
      "    - {name: out, stage: collect, inputs: [gate]}\n");
  wait_for([&] { return stream->state().state == "waiting for the gate"; });
  EXPECT_EQ(stream->state().items, 0U);
  probe_->set_gate(true);
  wait_until_finished(*stream);
  EXPECT_EQ(probe_->collected().size(), 10U);
}

TEST_F(StreamTest, StopWhileAStageWaitsDropsWhatIsThereAndCountsIt) {
  probe_->set_gate(false);
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 100}}\n"
      "    - {name: gate, stage: gate, inputs: [in], queue: 4}\n"
      "    - {name: out, stage: collect, inputs: [gate]}\n");
  wait_for([&] { return stream->state().items == 5; });
  stream->stop();
  EXPECT_TRUE(stream->finished());
  const auto state = stream->state();
  EXPECT_EQ(state.state, "stopped");
  EXPECT_EQ(link(state, "in->gate").in_flight, 0U);
  EXPECT_THAT(counts(state, "gate").dropped, ElementsAre(Pair("stopped", state.items)));
  expect_balanced(state);
}

TEST_F(StreamTest, StopBeforeAnythingIsPreparedEnds) {
  probe_->set_gate(false);
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 100}}\n"
      "    - {name: gate, stage: gate, inputs: [in], options: {early: 1}}\n"
      "    - {name: out, stage: collect, inputs: [gate]}\n");
  stream->stop();
  EXPECT_EQ(stream->state().state, "stopped");
  EXPECT_EQ(stream->state().items, 0U);
}

TEST_F(StreamTest, StopLetsEverythingInFlightPass) {
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 1000000000}}\n"
      "    - {name: mid, stage: pass, inputs: [in]}\n"
      "    - {name: out, stage: collect, inputs: [mid]}\n");
  wait_for([&] { return stream->state().items > 1000; });
  stream->stop();
  stream->stop();  // again does nothing
  const auto state = stream->state();
  EXPECT_EQ(probe_->collected().size(), state.items);
  EXPECT_EQ(state.state, "stopped");
}

TEST_F(StreamTest, DrainEndsTheSourceAtThatItem) {
  probe_->set_gate(false);
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 1000000000}}\n"
      "    - {name: gate, stage: gate, inputs: [in], queue: 2}\n"
      "    - {name: out, stage: collect, inputs: [gate]}\n");
  stream->drain_at(50);
  probe_->set_gate(true);
  wait_until_finished(*stream);
  EXPECT_EQ(stream->state().state, "finished");
  EXPECT_EQ(probe_->collected().size(), 50U);
}

TEST_F(StreamTest, AFailedSourceIsOpenedAgainAfterAPauseThatGrows) {
  FakeClock clock;
  probe_->source_failures = 3;
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 10}}\n"
      "    - {name: out, stage: collect, inputs: [in]}\n",
      &clock);
  while (!stream->finished()) {
    clock.advance(kMillisecond);
    std::this_thread::yield();
  }
  EXPECT_EQ(stream->state().state, "finished");
  EXPECT_EQ(stream->state().last_error, "in: the camera does not answer");
  const auto opened_at = probe_->opened_at();
  ASSERT_EQ(opened_at.size(), 4U);
  EXPECT_GE(opened_at[1] - opened_at[0], 100 * kMillisecond);
  EXPECT_GE(opened_at[2] - opened_at[1], 200 * kMillisecond);
  EXPECT_GE(opened_at[3] - opened_at[2], 400 * kMillisecond);
  EXPECT_EQ(probe_->collected().size(), 10U);
}

TEST_F(StreamTest, ASourceThatGoesOnFailingIsStaleAndTriedAgainForEver) {
  FakeClock clock;
  probe_->source_failures = 50;
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 10}}\n"
      "    - {name: other, stage: numbers, options: {items: 0}}\n"
      "    - {name: out, stage: collect, inputs: [in, other]}\n",
      &clock);
  wait_for([&] { return !counts(stream->state(), "in").stale.empty() || probe_->source_failures < 50; });
  bool seen_stale = false;
  while (!stream->finished()) {
    seen_stale = seen_stale || stream->state().state == "stale: in: the camera does not answer";
    clock.advance(kSecond);
    std::this_thread::yield();
  }
  EXPECT_TRUE(seen_stale);
  EXPECT_EQ(stream->state().state, "finished");
  EXPECT_EQ(counts(stream->state(), "in").stale, "");
  EXPECT_EQ(probe_->collected().size(), 10U);
}

TEST_F(StreamTest, ASourceThatCannotBeMendedEndsAndTheOthersGoOn) {
  probe_->corrupt = true;
  const auto stream = start(
      "    - {name: bad, stage: numbers, options: {items: 10}}\n"
      "    - {name: good, stage: ticks, options: {items: 1000}}\n"
      "    - {name: out, stage: collect, inputs: [bad, good]}\n");
  wait_until_finished(*stream);
  const auto state = stream->state();
  EXPECT_EQ(state.state, "failed: bad: the file is damaged");
  EXPECT_EQ(probe_->collected().size(), 1000U);
  expect_balanced(state);
}

TEST_F(StreamTest, ALostSinkIsOpenedAgainAndItsItemsWaitInFrontOfIt) {
  FakeClock clock;
  probe_->losses = 3;
  const auto stream = start(
      "    - {name: in, stage: ticks, options: {items: 100}}\n"
      "    - {name: out, stage: broker, inputs: [in]}\n"
      "    - {name: other, stage: collect, inputs: [in]}\n",
      &clock);
  while (!stream->finished()) {
    expect_balanced(stream->state());
    clock.advance(10 * kMillisecond);
    std::this_thread::yield();
  }
  const auto state = stream->state();
  const auto& row = counts(state, "out");
  EXPECT_EQ(row.used, 97U);
  EXPECT_THAT(row.dropped, ElementsAre(Pair("error: " + std::string(to_string(ErrorCode::kUnavailable)), 3U)));
  EXPECT_EQ(row.stale, "");
  EXPECT_EQ(probe_->opened_at().size(), 4U);
  EXPECT_GE(probe_->opened_at()[2] - probe_->opened_at()[1], 200 * kMillisecond);
  EXPECT_EQ(probe_->collected().size(), 100U);
}

TEST_F(StreamTest, LightStagesRunOnTheThreadOfTheirInputAndAreCountedAlike) {
  const auto stream = start(
      "    - {name: in, stage: ticks, options: {items: 3000}}\n"
      "    - {name: a, stage: light, inputs: [in]}\n"
      "    - {name: b, stage: light, inputs: [in]}\n"
      "    - {name: both, stage: light, inputs: [a, b]}\n"
      "    - {name: apart, stage: light, inputs: [{from: both, queue: 7}]}\n"
      "    - {name: out, stage: collect, inputs: [apart]}\n");
  while (!stream->finished()) {
    const auto state = stream->state();
    expect_balanced(state);
    for (const auto& row : state.stages) EXPECT_TRUE(row.balanced()) << row.name;
    EXPECT_EQ(counts(state, "in").emitted, link(state, "in->a").in);
    EXPECT_EQ(counts(state, "both").consumed, link(state, "a->both").out + link(state, "b->both").out);
    EXPECT_EQ(counts(state, "apart").consumed, link(state, "both->apart").out);
  }
  const auto state = stream->state();
  EXPECT_EQ(counts(state, "both").consumed, 6000U);
  EXPECT_EQ(probe_->collected().size(), 6000U);
  EXPECT_EQ(link(state, "both->apart").out, 6000U);
}

TEST_F(StreamTest, WatermarksAreTheSlowestInputsAndEndsLetThemGo) {
  const auto stream = start(
      "    - {name: fast, stage: ticks, lateness_ms: 1, options: {items: 10}}\n"
      "    - {name: slow, stage: ticks, options: {items: 5}}\n"
      "    - {name: mid, stage: light, inputs: [fast]}\n"
      "    - {name: times, stage: times, inputs: [mid, slow]}\n"
      "    - {name: out, stage: collect, inputs: [times]}\n");
  wait_until_finished(*stream);
  const auto times = probe_->times();
  ASSERT_FALSE(times.empty());
  EXPECT_TRUE(std::ranges::is_sorted(times));
  // Of the one that ended last: the other one holds time back no more. The fast one's are its 10 ms, less 1 ms.
  EXPECT_THAT(times.back(), testing::AnyOf(9 * kMillisecond, 5 * kMillisecond));
}

TEST_F(StreamTest, SampleThinsTheWholeQueue) {
  probe_->set_gate(false);
  const auto stream = start(
      "    - {name: in, stage: ticks, options: {items: 1000}}\n"
      "    - {name: gate, stage: gate, inputs: [in], queue: 16, overflow: sample}\n"
      "    - {name: out, stage: collect, inputs: [gate]}\n");
  wait_for([&] { return stream->state().items == 1000; });
  probe_->set_gate(true);
  wait_until_finished(*stream);
  const auto collected = probe_->collected();
  const auto state = stream->state();
  expect_balanced(state);
  ASSERT_EQ(link(state, "in->gate").dropped.size(), 1U);
  EXPECT_EQ(link(state, "in->gate").dropped[0].first, "sampled");
  ASSERT_GE(collected.size(), 8U);
  EXPECT_LE(collected.size(), 17U);
  // 64 apart, but for the one that the gate had taken before.
  for (std::size_t i = 2; i < collected.size(); ++i) EXPECT_EQ(collected[i] - collected[i - 1], 64U);
}

TEST_F(StreamTest, AStageThatCannotBeClosedFailsTheStream) {
  probe_->close_fails = true;
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 10}}\n"
      "    - {name: out, stage: collect, inputs: [in]}\n");
  wait_until_finished(*stream);
  EXPECT_EQ(stream->state().state, "failed: out: close: no space");
  EXPECT_EQ(probe_->collected().size(), 10U);
}

TEST_F(StreamTest, AStageThatCannotBeOpenedIsNamed) {
  const auto document = ConfigObject::parse(
      "{apiVersion: moru.dev/v1, kind: Stream, metadata: {name: line}, spec: {stages: [{name: in, stage: numbers, options: {items: 1}}, "
      "{name: gate, stage: gate, inputs: [in]}, {name: out, stage: collect, inputs: [gate]}]}}",
      "line.yaml");
  auto spec = read_stream(*document, kTable);
  ASSERT_TRUE(spec) << spec.error().message;
  const auto stream = Stream::start(*spec, {});
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(stream.error().message, HasSubstr("stream 'line': stage 'gate': gate: found no probe"));
}

}  // namespace
}  // namespace moru::edge
