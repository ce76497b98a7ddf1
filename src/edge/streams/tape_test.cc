// SPDX-License-Identifier: Apache-2.0
// Recordings: the file, and that a replay gives the same bytes as the run that was recorded, whatever the speed and the load.
#include "edge/streams/tape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "edge/streams/stage_for_test.h"
#include "edge/streams/tape_deck.h"

namespace moru::edge {
namespace {

using ::testing::HasSubstr;

class TapeTest : public ::testing::Test {
 protected:
  Path path(const std::string& name) const { return folder_.path() / name; }
  static TapeElement item(std::uint64_t number, std::uint32_t source = 0) {
    TapeElement element{.kind = TapeKind::kItem, .source = source, .wall = 1000, .steady = static_cast<TimeNs>(number)};
    element.item.sequence = number;
    element.item.event_time = static_cast<TimeNs>(number * 10);
    element.item.emitted = 7;
    element.item.set("text", "a long text that does not lie in the field");
    element.item.set("value", 0.1 * static_cast<double>(number));
    return element;
  }
  /// A recording of three items and what else there is.
  void record(const Path& file) const {
    auto writer = TapeWriter::create(file, {.stream = "line", .wall = 5, .steady = 6, .sources = {"a", "b.rest"}}, 1 << 20);
    ASSERT_TRUE(writer) << writer.error().message;
    ASSERT_TRUE((*writer)->write(item(1)));
    ASSERT_TRUE((*writer)->write(item(2, 1)));
    TapeElement watermark{.kind = TapeKind::kWatermark, .source = 1, .wall = 1, .steady = 2};
    watermark.item.event_time = 77;
    ASSERT_TRUE((*writer)->write(watermark));
    ASSERT_TRUE((*writer)->write({.kind = TapeKind::kDue, .wall = 1, .steady = 3}));
    ASSERT_TRUE((*writer)->write({.kind = TapeKind::kEnd, .source = 1, .wall = 1, .steady = 3}));
    ASSERT_TRUE((*writer)->close());
  }
  TempFolder folder_ = std::move(*TempFolder::create("moru-tape"));
};

TEST_F(TapeTest, GivesBackWhatWasWritten) {
  record(path("tape"));
  auto reader = TapeReader::open(path("tape"));
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ((*reader)->head().stream, "line");
  EXPECT_THAT((*reader)->head().sources, ::testing::ElementsAre("a", "b.rest"));
  std::vector<TapeElement> elements;
  while (auto element = *(*reader)->next()) elements.push_back(std::move(*element));
  ASSERT_EQ(elements.size(), 5U);
  EXPECT_EQ(elements[1].source, 1U);
  EXPECT_EQ(elements[1].item.sequence, 2U);
  EXPECT_EQ(elements[1].item.emitted, 7);
  EXPECT_EQ(*elements[1].item.get<double>("value"), 0.2);
  EXPECT_EQ(elements[2].item.event_time, 77);
  EXPECT_EQ(elements[3].kind, TapeKind::kDue);
  EXPECT_EQ(elements[4].kind, TapeKind::kEnd);
  EXPECT_EQ((*reader)->torn_bytes(), 0U);
  EXPECT_THAT(TapeWriter::create(path("tape"), {}, 1 << 20).error().message, HasSubstr("found a file of that name, expected none"));
}

TEST_F(TapeTest, ATornOrDamagedTailIsCutAtEveryByte) {
  record(path("tape"));
  const std::string whole = *read_file(path("tape"));
  std::size_t most = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::string bytes = whole.substr(0, size);
    for (const bool damaged : {false, true}) {
      if (damaged) bytes += std::string(whole.size() - size, '\x5A');
      std::ofstream(path("cut"), std::ios::binary) << bytes;  // without an fsync for each of a thousand
      auto reader = TapeReader::open(path("cut"));
      if (!reader) {
        EXPECT_EQ(reader.error().code, ErrorCode::kCorrupt);
        EXPECT_EQ(most, 0U);
        continue;
      }
      std::size_t count = 0;
      while (true) {
        auto element = (*reader)->next();
        ASSERT_TRUE(element) << element.error().message;
        if (!*element) break;
        ++count;
      }
      EXPECT_GE(count, most);
      most = count;
    }
  }
  EXPECT_EQ(most, 4U);
}

TEST_F(TapeTest, NeverGrowsBeyondItsBound) {
  auto writer = TapeWriter::create(path("tape"), {.stream = "line", .wall = 5, .steady = 6, .sources = {"a"}}, 1000);
  ASSERT_TRUE(writer);
  std::uint64_t written = 0;
  Status status;
  while ((status = (*writer)->write(item(written + 1)))) ++written;
  EXPECT_THAT(status.error().message, HasSubstr("do not fit, expected at most 1.0 kB"));
  EXPECT_FALSE((*writer)->write({.kind = TapeKind::kEnd}));
  ASSERT_TRUE((*writer)->close());
  EXPECT_LE(std::filesystem::file_size(path("tape")), 1000U);
  auto reader = TapeReader::open(path("tape"));
  std::uint64_t read = 0;
  while (*(*reader)->next()) ++read;
  EXPECT_EQ(read, written);
}

/// Emits, whenever its time has come, what the clock says and how many items it has seen since.
class Ticker final : public Stage {
 public:
  Status open(const StageContext& context) override {
    clock_ = context.clock;
    return {};
  }
  Status process(Item&& item, Output& output) override {
    if (due_ == kNeverDue) due_ = clock_->steady_now() + 3 * kMillisecond;
    ++seen_;
    item.set("age", clock_->steady_now() - item.emitted);
    output.used(1);
    output.emit(std::move(item));
    return {};
  }
  TimeNs due() const override { return due_; }
  void on_due(Output& output) override {
    Item item;
    item.set("device", "tick");
    item.set("value", static_cast<double>(std::exchange(seen_, 0)));
    item.set("wall", clock_->wall_now());
    due_ = kNeverDue;
    output.emit(std::move(item));
  }

 private:
  Clock* clock_ = nullptr;
  TimeNs due_ = kNeverDue;
  std::int64_t seen_ = 0;
};

const StageSpec kTicker{.name = "ticker",
                        .kind = StageKind::kStage,
                        .doc = "",
                        .example = "",
                        .create = [](const ConfigObject&) -> Result<std::unique_ptr<Stage>> { return std::make_unique<Ticker>(); },
                        .holds = true};

/// Two sources of different pace, the second with items that come late; what their threads do to each other shows in what is dropped.
class ReplayTest : public TapeTest {
 protected:
  Result<StreamSpec> stream(const std::string& name, int items = 300) const {
    std::vector<const StageSpec*> table(all_stages().begin(), all_stages().end());
    table.push_back(&kTicker);
    const std::string text = R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {name: two}
spec:
  stages:
    - {name: inside, stage: synthetic, options: {keys: 3, items: )" +
                             std::to_string(items) + R"(, rate_hz: 3000, period_ms: 1, unit: degC}}
    - {name: outside, stage: synthetic, options: {keys: 3, items: )" +
                             std::to_string(items) + R"(, rate_hz: 2000, period_ms: 2, mean: 5, seed: 2}}
    - {name: fine, stage: ticker, inputs: [outside]}
    - {name: both, stage: join, inputs: [inside, outside], options: {within_ms: 50, key: [device], prefixes: [outside_], optional: true}}
    - {name: means, stage: window, inputs: [both], options: {size_ms: 20, key: [device], set: {mean: mean(value), outside: mean(outside_value), n: count()}}}
    - {name: any, stage: deduplicate, inputs: [inside, fine], options: {key: [device], within_ms: 7}}
    - {name: out_means, stage: write_json, inputs: [means], options: {path: )" +
                             path(name + ".means").string() + R"(}}
    - {name: out_any, stage: write_json, inputs: [any], options: {path: )" +
                             path(name + ".any").string() + R"(}}
)";
    MORU_ASSIGN_OR_RETURN(const auto document, ConfigObject::parse(text, "two.yaml"));
    return read_stream(document, table);
  }
  /// Runs it to its end; what it wrote.
  std::string run(const std::string& name, const StreamSpec& spec, TapeDeck deck, StreamState* state = nullptr) const {
    const auto writer = deck.writer;
    auto running = Stream::start(spec, {.clock = &system_clock(), .resources = {}, .stream = {}, .stop = {}}, std::move(deck));
    if (!running) return running.error().message;
    while (!(*running)->finished()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    (*running)->stop();
    if (state != nullptr) *state = (*running)->state();
    if (writer) {
      EXPECT_TRUE(writer->close());
    }
    const auto means = read_file(path(name + ".means"));
    const auto any = read_file(path(name + ".any"));
    return means && any ? *means + *any : "no output";
  }
};

TEST_F(ReplayTest, GivesTheSameBytesAtAnySpeedAndUnderLoad) {
  const auto spec = stream("live");
  ASSERT_TRUE(spec) << spec.error().message;
  auto deck = TapeDeck::to_record(*spec, path("tape"), 1 << 26, system_clock());
  ASSERT_TRUE(deck) << deck.error().message;
  StreamState live;
  const std::string expected = run("live", *spec, std::move(*deck), &live);
  EXPECT_EQ(live.state, "finished");
  EXPECT_EQ(live.items, 600U);
  EXPECT_THAT(expected, HasSubstr("\"wall\":"));
  EXPECT_THAT(expected, HasSubstr("\"outside\":"));
  std::atomic<bool> stop = false;
  std::vector<std::jthread> load;
  for (int i = 0; i < 20; ++i) {
    if (i == 10) {
      for (int n = 0; n < 3; ++n)
        load.emplace_back([&stop] {
          while (!stop) std::atomic_thread_fence(std::memory_order_seq_cst);
        });
    }
    const std::string name = "replay" + std::to_string(i);
    const auto again = stream(name);
    auto replay = TapeDeck::to_replay(*again, path("tape"), i % 5 == 0 ? 1.0 : i % 5 == 1 ? 10.0 : 0.0, system_clock());
    ASSERT_TRUE(replay) << replay.error().message;
    StreamState state;
    ASSERT_EQ(run(name, *again, std::move(*replay), &state), expected) << i;
    EXPECT_EQ(state.state, "finished");
    EXPECT_EQ(state.items, 600U);
    EXPECT_EQ(state.stages.size(), live.stages.size());
    for (const auto& row : state.stages) EXPECT_TRUE(row.balanced()) << row.name;
  }
  stop = true;
}

TEST_F(ReplayTest, OfARecordingThatBrokeOffIsTheSameEachTime) {
  const auto spec = stream("live");
  auto deck = TapeDeck::to_record(*spec, path("tape"), 20'000, system_clock());
  ASSERT_TRUE(deck) << deck.error().message;
  StreamState live;
  const std::string expected = run("live", *spec, std::move(*deck), &live);
  EXPECT_THAT(live.state, HasSubstr("failed: recording"));
  const auto tape = *read_file(path("tape"));
  ASSERT_TRUE(write_file_atomic(path("tape"), tape.substr(0, tape.size() - 5)));
  std::string first;
  for (int i = 0; i < 3; ++i) {
    const std::string name = "replay" + std::to_string(i);
    const auto again = stream(name);
    auto replay = TapeDeck::to_replay(*again, path("tape"), 0.0, system_clock());
    ASSERT_TRUE(replay) << replay.error().message;
    const auto reader = replay->reader;
    const std::string output = run(name, *again, std::move(*replay));
    if (i == 0) first = output;
    EXPECT_EQ(output, first);
    EXPECT_GT(reader->torn_bytes(), 0U);
  }
}

TEST_F(ReplayTest, NeedsEverySourceAndAnotherStreamMayReadThem) {
  const auto spec = stream("live", 30);
  auto deck = TapeDeck::to_record(*spec, path("tape"), 1 << 26, system_clock());
  ASSERT_TRUE(deck);
  run("live", *spec, std::move(*deck));
  const auto other = [](const std::string& source) {
    return *read_stream(*ConfigObject::parse(R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {name: other}
spec:
  stages:
    - {name: )" + source + R"(, stage: serial, options: {device: /dev/nothing, format: number, fields: {value: double}}}
    - {name: out, stage: "null", inputs: [)" + source +
                                                 R"(]}
)",
                                             "other.yaml"));
  };
  EXPECT_THAT(TapeDeck::to_replay(other("insid"), path("tape"), 0.0, system_clock()).error().message,
              HasSubstr("found no source 'insid' (did you mean 'inside'?), expected all of the stream; it has inside, outside"));
  auto replay = TapeDeck::to_replay(other("inside"), path("tape"), 0.0, system_clock());
  ASSERT_TRUE(replay) << replay.error().message;
  StreamState state;
  run("other", other("inside"), std::move(*replay), &state);
  EXPECT_EQ(state.state, "finished");
  EXPECT_EQ(state.items, 30U) << "the device was never opened";
}

}  // namespace
}  // namespace moru::edge
