// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "core/json.h"
#include "core/text.h"
#include "edge/streams/outbox.h"
#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using testing::Caught;
using ::testing::HasSubstr;

class SinksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-sinks");
    ASSERT_TRUE(folder);
    temp_.emplace(std::move(*folder));
    auto outbox = Outbox::open(temp_->path() / "outbox", "test");
    ASSERT_TRUE(outbox) << outbox.error().message;
    outbox_ = *outbox;
  }
  StageContext context() { return {.clock = &clock_, .resources = {{"outbox", outbox_}}, .stream = "test", .stop = {}}; }
  std::unique_ptr<Stage> open(std::string_view name, std::string_view options) {
    auto stage = testing::make_stage(name, options);
    EXPECT_TRUE(stage) << stage.error().message;
    const auto status = (*stage)->open(context());
    EXPECT_TRUE(status) << status.error().message;
    return std::move(*stage);
  }
  Item item_of(std::uint64_t sequence, std::int64_t alert) const {
    Item item;
    item.sequence = sequence;
    item.event_time = 1'700'000'000'123'456'789;
    item.emitted = clock_.steady_now() - 250 * kMicrosecond;
    item.set("image", model::Tensor::of<std::uint8_t>({1, 1}, {1}));
    item.set("order", std::int64_t{4});
    item.set("probability", 0.25);
    item.set("tensor.mean", 0.5);
    item.set("alert", alert);
    return item;
  }

  std::optional<TempFolder> temp_;
  FakeClock clock_;
  std::shared_ptr<Outbox> outbox_;
  Caught caught_;
};

TEST_F(SinksTest, HubWritesRecordsWithNumbersAndTextsButNoNotesAndTensors) {
  const auto stage = open("hub", "{}");
  ASSERT_TRUE(stage->process(item_of(1, 0), caught_));
  ASSERT_TRUE(stage->process(item_of(2, 1), caught_));
  ASSERT_TRUE(stage->close());
  const auto records = outbox_->read(0, 10);
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 2U);
  EXPECT_EQ((*records)[0].kind, "result");
  EXPECT_EQ((*records)[1].kind, "alert");
  EXPECT_EQ((*records)[1].body, R"({"seq":2,"time":1700000000123456789,"order":4,"probability":0.25,"alert":1,"latency_us":250.0})");
}

TEST_F(SinksTest, HubMakesAnAlertDurableAtOnceAndResultsInGroups) {
  const auto stage = open("hub", "{max_delay_ms: 10}");
  ASSERT_TRUE(stage->process(item_of(1, 0), caught_));
  EXPECT_FALSE(outbox_->wait_for_records(0, 20 * kMillisecond));  // the fake clock stands still
  clock_.advance(10 * kMillisecond);
  EXPECT_TRUE(outbox_->wait_for_records(0, 60 * kSecond));
  ASSERT_TRUE(stage->process(item_of(2, 0), caught_));
  ASSERT_TRUE(stage->process(item_of(3, 1), caught_));
  EXPECT_TRUE(outbox_->wait_for_records(2, 60 * kSecond));
  ASSERT_TRUE(stage->close());
}

TEST_F(SinksTest, HubLeavesResultsOutWhenTold) {
  const auto stage = open("hub", "{results: false, fields: [probability]}");
  ASSERT_TRUE(stage->process(item_of(1, 0), caught_));
  ASSERT_TRUE(stage->process(item_of(2, 1), caught_));
  ASSERT_TRUE(stage->close());
  EXPECT_EQ(outbox_->last(), 1U);
  EXPECT_THAT(caught_.reasons, ::testing::ElementsAre("no alert"));
  EXPECT_EQ((*outbox_->read(0, 1))[0].body, R"({"seq":2,"time":1700000000123456789,"probability":0.25,"latency_us":250.0})");
}

TEST_F(SinksTest, HubCountsARefusedRecordInTheOutboxAlone) {
  outbox_.reset();
  auto small = Outbox::open(temp_->path() / "small", "test", {.max_bytes = 300});
  ASSERT_TRUE(small);
  outbox_ = *small;
  const auto stage = open("hub", "{}");
  for (std::uint64_t i = 1; i <= 10; ++i) EXPECT_TRUE(stage->process(item_of(i, 0), caught_));
  ASSERT_TRUE(stage->close());
  EXPECT_TRUE(caught_.reasons.empty());
  EXPECT_EQ(outbox_->ledger().in, 10U);
  EXPECT_GT(outbox_->ledger().dropped_total(), 0U);
}

TEST_F(SinksTest, HubNeedsAnOutbox) {
  auto stage = testing::make_stage("hub", "{}");
  ASSERT_TRUE(stage);
  EXPECT_THAT((*stage)->open({.clock = &clock_, .resources = {}, .stream = "test", .stop = {}}).error().message, HasSubstr("no outbox"));
}

TEST_F(SinksTest, WriteJsonWritesALineAnItem) {
  const Path path = temp_->path() / "out.jsonl";
  const auto stage = open("write_json", "path: '" + path.string() + "'\nfields: [order]");
  ASSERT_TRUE(stage->process(item_of(1, 0), caught_));
  ASSERT_TRUE(stage->flush(caught_));
  EXPECT_EQ(*read_file(path), "{\"seq\":1,\"time\":1700000000123456789,\"order\":4,\"latency_us\":250.0}\n");  // at once
  ASSERT_TRUE(stage->process(item_of(2, 0), caught_));
  ASSERT_TRUE(stage->flush(caught_));
  ASSERT_TRUE(stage->close());
  EXPECT_EQ(split(*read_file(path), '\n').size(), 3U);
}

TEST_F(SinksTest, WriteJsonNamesAFileThatCannotBeMadeOrWritten) {
  auto stage = testing::make_stage("write_json", "path: /nowhere/at/all");
  EXPECT_EQ((*stage)->open(context()).error().code, ErrorCode::kNotFound);
  const auto full = open("write_json", "path: /dev/full");
  ASSERT_TRUE(full->process(item_of(1, 0), caught_));
  EXPECT_EQ(full->flush(caught_).error().code, ErrorCode::kIo);
  EXPECT_EQ(full->held(), 1U);
}

}  // namespace
}  // namespace moru::edge
