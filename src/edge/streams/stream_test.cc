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
using ::testing::StartsWith;

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
  std::atomic<bool> close_fails{false};

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::uint64_t> collected_;
  std::vector<TimeNs> opened_at_;
  bool open_ = true;
};

class Numbers final : public SourceStage {
 public:
  explicit Numbers(std::uint64_t items) : end_(items) {}
  Status open(const StageContext& context) override {
    probe_ = context.resource<Probe>("probe");
    probe_->opened(context.clock->steady_now());
    return {};
  }
  Result<bool> produce(Output& output) override {
    if (probe_->source_failures > 0) {
      --probe_->source_failures;
      return fail(ErrorCode::kUnavailable, "the camera does not answer");
    }
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

class Pass : public Stage {
 public:
  Status open(const StageContext&) override { return {}; }
  Status process(Item item, Output& output) override {
    output.emit(std::move(item));
    return {};
  }
};

/// Fails every third item and filters every fifth.
class Picky final : public Stage {
 public:
  Status open(const StageContext&) override { return {}; }
  Status process(Item item, Output& output) override {
    if (item.sequence % 3 == 0) return fail(ErrorCode::kCorrupt, fmt::format("item {} is bad", item.sequence));
    if (item.sequence % 5 == 0) {
      output.drop("filtered");
      return {};
    }
    output.emit(std::move(item));
    return {};
  }
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
  Status process(Item item, Output& output) override {
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
  Status process(Item item, Output&) override {
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
constexpr std::array<const StageSpec*, 5> kTable = {&kNumbers, &kPass, &kPicky, &kGate, &kCollect};

class StreamTest : public ::testing::Test {
 protected:
  std::unique_ptr<Stream> start(std::string_view stages, Clock* clock = nullptr) {
    const auto text = fmt::format("apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {{name: line}}\nspec:\n  stages:\n{}", stages);
    const auto document = ConfigObject::parse(text, "line.yaml");
    EXPECT_TRUE(document);
    auto spec = read_stream(*document, kTable);
    EXPECT_TRUE(spec) << spec.error().message;
    StageContext context{.clock = clock, .resources = {{"probe", probe_}}, .stream = {}, .stop = {}};
    auto stream = Stream::start(std::move(*spec), std::move(context));
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

TEST_F(StreamTest, ASourceThatGoesOnFailingFailsTheStream) {
  FakeClock clock;
  probe_->source_failures = 1000;
  const auto stream = start(
      "    - {name: in, stage: numbers, options: {items: 10}}\n"
      "    - {name: out, stage: collect, inputs: [in]}\n",
      &clock);
  while (!stream->finished()) clock.advance(kSecond);
  EXPECT_THAT(stream->state().state, StartsWith("failed: in: the camera does not answer, 6 times in a row"));
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
  std::swap(spec->stages[0], spec->stages[1]);  // the gate is opened first: the others need the probe too
  const auto stream = Stream::start(std::move(*spec), {});
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(stream.error().message, HasSubstr("stream 'line': stage 'gate': gate: found no probe"));
}

}  // namespace
}  // namespace moru::edge
