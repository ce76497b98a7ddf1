// SPDX-License-Identifier: Apache-2.0
// Stages for the tests of what flows between stages: sources with receipts, sinks with a gate, stages that do what chance says.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/random.h"
#include "edge/streams/stream.h"

namespace moru::edge::testing {

/// What the stages below share with their test.
class Bench final : public Resource {
 public:
  void collect(std::uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    collected_.push_back(sequence);
  }
  std::vector<std::uint64_t> collected() const {
    const std::lock_guard lock(mutex_);
    return collected_;
  }
  void settle(std::uint64_t sequence, Outcome outcome) {
    const std::lock_guard lock(mutex_);
    settled_[sequence] = outcome;
    if (on_settled) on_settled(sequence, outcome);
  }
  std::map<std::uint64_t, Outcome> settled() const {
    const std::lock_guard lock(mutex_);
    return settled_;
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
  std::function<void(std::uint64_t, Outcome)> on_settled;
  std::atomic<int> failures{0};  ///< items that the sink fails at from now on
  std::atomic<TimeNs> watermark{0};
  FakeClock* clock = nullptr;

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::uint64_t> collected_;
  std::map<std::uint64_t, Outcome> settled_;
  bool open_ = true;
};

struct TestOptions {
  std::int64_t items = 0;
  std::int64_t first = 1;
  std::int64_t step_ms = 1;  ///< of event time
  std::int64_t wild = 0;     ///< the item of this number comes a year ahead
  std::int64_t bytes = 0;    ///< of a text in each
  std::int64_t seed = 1;
  bool silent = false;  ///< sends nothing after its items, and does not end
};

inline Result<TestOptions> read_test_options(const ConfigObject& object) {
  TestOptions options;
  ConfigReader reader(object);
  reader.optional("items", &options.items);
  reader.optional("first", &options.first);
  reader.optional("step_ms", &options.step_ms);
  reader.optional("wild", &options.wild);
  reader.optional("bytes", &options.bytes);
  reader.optional("seed", &options.seed);
  reader.optional("silent", &options.silent);
  MORU_RETURN_IF_ERROR(reader.finish());
  return options;
}

class TestSource final : public SourceStage {
 public:
  explicit TestSource(const TestOptions& options)
      : options_(options), next_(static_cast<std::uint64_t>(options.first)), end_(next_ + static_cast<std::uint64_t>(options.items)) {}
  Status open(const StageContext& context) override {
    bench_ = context.resource<Bench>("bench");
    clock_ = context.clock;
    start_ = clock_->wall_now();
    return {};
  }
  Result<bool> produce(Output& output) override {
    for (int i = 0; i < 5 && next_ < end_; ++i) {
      Item item;
      item.sequence = next_++;
      item.event_time = start_ + static_cast<TimeNs>(item.sequence) * options_.step_ms * kMillisecond;
      if (item.sequence == static_cast<std::uint64_t>(options_.wild)) item.event_time += 365 * 24 * 3600 * kSecond;
      item.set("value", static_cast<double>(item.sequence));
      if (options_.bytes > 0) item.set("text", std::string(static_cast<std::size_t>(options_.bytes), 'x'));
      output.emit(std::move(item));
    }
    if (next_ < end_) return true;
    if (options_.silent && !drained_) std::this_thread::yield();
    return options_.silent && !drained_;
  }
  void drain_at(std::uint64_t) override { drained_ = true; }
  void settle(std::uint64_t sequence, Outcome outcome) override { bench_->settle(sequence, outcome); }

 private:
  const TestOptions options_;
  std::shared_ptr<Bench> bench_;
  Clock* clock_ = nullptr;
  TimeNs start_ = 0;
  std::uint64_t next_;
  const std::uint64_t end_;
  std::atomic<bool> drained_{false};
};

/// Waits for the gate, and collects.
class TestSink final : public Stage {
 public:
  explicit TestSink(const TestOptions&) {}
  Status open(const StageContext& context) override {
    bench_ = context.resource<Bench>("bench");
    stop_ = context.stop;
    return {};
  }
  Status process(Item&& item, Output&) override {
    if (!bench_->wait_gate(stop_)) return fail(ErrorCode::kCancelled, "stopped");
    if (bench_->failures > 0) {
      --bench_->failures;
      return fail(ErrorCode::kUnavailable, "no receiver");
    }
    bench_->collect(item.sequence);
    return {};
  }
  void watermark(TimeNs time, Output&) override { bench_->watermark = time; }

 private:
  std::shared_ptr<Bench> bench_;
  std::stop_token stop_;
};

/// Takes 100 ms of the fake clock for every tenth item.
class TestSlow final : public Stage {
 public:
  explicit TestSlow(const TestOptions&) {}
  Status open(const StageContext& context) override {
    bench_ = context.resource<Bench>("bench");
    return {};
  }
  Status process(Item&& item, Output& output) override {
    if (item.sequence % 10 == 0) bench_->clock->advance(100 * kMillisecond);
    output.emit(std::move(item));
    return {};
  }

 private:
  std::shared_ptr<Bench> bench_;
};

/// Passes an item on, by either port, or meets it with one of the other ends.
class TestChance final : public Stage {
 public:
  explicit TestChance(const TestOptions& options) : random_(static_cast<std::uint64_t>(options.seed)) {}
  Status open(const StageContext&) override { return {}; }
  Status process(Item&& item, Output& output) override {
    switch (random_.below(8)) {
      case 0: output.drop("filtered"); return {};
      case 1: return fail(ErrorCode::kCorrupt, "no item");
      case 2: return fail(ErrorCode::kUnavailable, "nobody there");
      case 3: output.emit_to(1, std::move(item)); return {};
      default: output.emit(std::move(item)); return {};
    }
  }

 private:
  Rng random_;
};

/// Holds items and gives one for several, by number, time or at the end.
class TestHoard final : public Stage {
 public:
  explicit TestHoard(const TestOptions& options) : random_(static_cast<std::uint64_t>(options.seed)) {}
  Status open(const StageContext&) override { return {}; }
  Status process(Item&& item, Output& output) override {
    if (random_.below(10) == 0) return drop(output, "unwanted");
    ++held_;
    time_ = item.event_time;
    receipt_.add(std::move(item.receipt));
    if (random_.below(5) == 0) give(output);
    return {};
  }
  void watermark(TimeNs, Output& output) override {
    if (random_.below(5) == 0) give(output);
  }
  void finish(Output& output) override { give(output); }
  std::uint64_t held() const override { return held_; }

 private:
  void give(Output& output) {
    if (held_ == 0) return;
    Item item;
    item.sequence = ++emitted_;
    item.event_time = time_;
    item.receipt = std::move(receipt_);
    receipt_.reset();
    output.used(std::exchange(held_, 0U));
    output.emit(std::move(item));
  }
  Rng random_;
  Receipt receipt_;
  TimeNs time_ = 0;
  std::uint64_t held_ = 0;
  std::uint64_t emitted_ = 0;
};

template <class T>
Result<std::unique_ptr<Stage>> make_test_stage(const ConfigObject& object) {
  MORU_ASSIGN_OR_RETURN(const auto options, read_test_options(object));
  return std::make_unique<T>(options);
}
inline Result<std::unique_ptr<SourceStage>> make_test_source(const ConfigObject& object) {
  MORU_ASSIGN_OR_RETURN(const auto options, read_test_options(object));
  return std::make_unique<TestSource>(options);
}

inline constexpr std::array<std::string_view, 2> kTwoPorts = {"out", "other"};
inline const std::array<StageSpec, 9> kTestStages = {{
    {.name = "ticks", .kind = StageKind::kSource, .doc = "", .example = "", .create_source = make_test_source},
    {.name = "letters", .kind = StageKind::kSource, .doc = "", .example = "", .create_source = make_test_source, .acknowledges = true},
    {.name = "gate", .kind = StageKind::kSink, .doc = "", .example = "", .create = make_test_stage<TestSink>},
    {.name = "timed_gate", .kind = StageKind::kSink, .doc = "", .example = "", .create = make_test_stage<TestSink>, .timed = true},
    {.name = "slow", .kind = StageKind::kStage, .doc = "", .example = "", .create = make_test_stage<TestSlow>},
    {.name = "light_chance",
     .kind = StageKind::kStage,
     .doc = "",
     .example = "",
     .create = make_test_stage<TestChance>,
     .light = true,
     .outputs = kTwoPorts},
    {.name = "chance", .kind = StageKind::kStage, .doc = "", .example = "", .create = make_test_stage<TestChance>, .outputs = kTwoPorts},
    {.name = "light_hoard",
     .kind = StageKind::kStage,
     .doc = "",
     .example = "",
     .create = make_test_stage<TestHoard>,
     .light = true,
     .timed = true,
     .holds = true},
    {.name = "hoard",
     .kind = StageKind::kStage,
     .doc = "",
     .example = "",
     .create = make_test_stage<TestHoard>,
     .timed = true,
     .holds = true},
}};

/// Starts a stream of these stages (and those of the product), with its state in `state`.
class FlowTest : public ::testing::Test {
 protected:
  Result<StreamSpec> read(std::string_view stages) {
    std::vector<const StageSpec*> table;
    for (const StageSpec& one : kTestStages) table.push_back(&one);
    for (const StageSpec* one : all_stages()) table.push_back(one);
    const auto text = fmt::format("apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {{name: flow}}\nspec:\n  stages:\n{}", stages);
    MORU_ASSIGN_OR_RETURN(const auto document, ConfigObject::parse(text, "flow.yaml"));
    return read_stream(document, table);
  }
  std::unique_ptr<Stream> start(std::string_view stages, Clock* clock = nullptr, Path state = {}) {
    auto spec = read(stages);
    EXPECT_TRUE(spec) << spec.error().message;
    StageContext context{.clock = clock, .resources = {{"bench", bench_}}, .stream = {}, .state = std::move(state), .stop = {}};
    auto stream = Stream::start(*spec, std::move(context));
    EXPECT_TRUE(stream) << stream.error().message;
    return std::move(*stream);
  }
  template <class Condition>
  static void wait_for(Condition condition) {
    while (!condition()) std::this_thread::yield();
  }
  static const StageCounts& row(const StreamState& state, std::string_view name) {
    return *std::ranges::find(state.stages, name, &StageCounts::name);
  }
  static const wire::LinkLedger& link(const StreamState& state, std::string_view name) {
    return *std::ranges::find(state.ledger, name, &wire::LinkLedger::link);
  }
  static void expect_balanced(const StreamState& state) {
    for (const auto& one : state.ledger) ASSERT_TRUE(one.balanced()) << one.link;
    for (const auto& one : state.stages) ASSERT_TRUE(one.balanced()) << one.name;
  }
  std::shared_ptr<Bench> bench_ = std::make_shared<Bench>();
};

}  // namespace moru::edge::testing
