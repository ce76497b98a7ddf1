// SPDX-License-Identifier: Apache-2.0
// Sinks that gather, in a running stream.
#include "edge/streams/group_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

/// The receiver: it can be away, and refuses multiples of a number.
struct Store final : public Resource {
  std::mutex mutex;
  std::vector<std::uint64_t> stored;
  std::size_t largest = 0;  ///< group
  std::atomic<bool> away{false};
  std::atomic<int> opened{0};
  std::uint64_t refused = 0;
};

class ToStore final : public GroupSink {
 public:
  Status open(const StageContext& context) override {
    store_ = context.resource<Store>("store");
    ++store_->opened;
    return {};
  }

 private:
  Result<Stored> store(std::span<const Item> items) override {
    if (store_->away) return fail(ErrorCode::kUnavailable, "the store is away");
    const std::lock_guard lock(store_->mutex);
    for (const Item& item : items) {
      if (store_->refused != 0 && item.sequence % store_->refused == 0) return fail(ErrorCode::kInvalidArgument, "not this one");
    }
    for (const Item& item : items) store_->stored.push_back(item.sequence);
    store_->largest = std::max(store_->largest, items.size());
    return Stored{.items = items.size()};
  }
  std::shared_ptr<Store> store_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject&) { return std::make_unique<ToStore>(); }
const StageSpec kToStore{.name = "to_store", .kind = StageKind::kSink, .doc = "", .example = "", .create = create, .holds = true};

class GroupSinkTest : public ::testing::Test {
 protected:
  std::unique_ptr<Stream> start(const std::string& source) {
    const auto document = ConfigObject::parse(
        "apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {name: test}\nspec:\n  stages:\n    - {name: in, stage: "
        "synthetic, options: {" +
            source + "}}\n    - {name: out, stage: to_store, inputs: [in]}\n",
        "test.yaml");
    EXPECT_TRUE(document);
    const std::array table = {find_stage("synthetic"), &kToStore};
    const auto spec = read_stream(*document, table);
    EXPECT_TRUE(spec) << spec.error().message;
    auto stream = Stream::start(*spec, {.clock = &system_clock(), .resources = {{"store", store_}}, .stream = {}, .stop = {}});
    EXPECT_TRUE(stream) << stream.error().message;
    return std::move(*stream);
  }
  static void expect_balanced(const StreamState& state) {
    for (const auto& row : state.stages) EXPECT_TRUE(row.balanced()) << row.name;
    for (const auto& link : state.ledger) EXPECT_TRUE(link.balanced()) << link.link;
  }
  static const StageCounts& sink(const StreamState& state) { return state.stages.back(); }

  std::shared_ptr<Store> store_ = std::make_shared<Store>();
};

TEST_F(GroupSinkTest, WhatWaitsIsStoredTogetherAndWhatIsRefusedAlone) {
  store_->refused = 97;
  const auto stream = start("items: 5000");
  while (!stream->finished()) std::this_thread::yield();
  const auto state = stream->state();
  expect_balanced(state);
  EXPECT_EQ(sink(state).used, 5000U - 51);
  EXPECT_EQ(sink(state).held, 0U);
  EXPECT_THAT(sink(state).dropped, ::testing::ElementsAre(::testing::Pair("refused", 51)));
  EXPECT_EQ(store_->stored.size(), 5000U - 51);
  EXPECT_TRUE(std::ranges::is_sorted(store_->stored));
}

TEST_F(GroupSinkTest, AReceiverThatWasAwayGetsAllOfItOnce) {
  store_->away = true;
  const auto stream = start("items: 1000");
  while (store_->opened < 3) {
    expect_balanced(stream->state());
    std::this_thread::yield();
  }
  const auto waiting = stream->state();
  EXPECT_EQ(sink(waiting).stale, "out: the store is away");
  EXPECT_GT(sink(waiting).held, 0U);
  EXPECT_EQ(sink(waiting).used, 0U);
  store_->away = false;
  while (!stream->finished()) std::this_thread::yield();
  const auto state = stream->state();
  expect_balanced(state);
  EXPECT_EQ(state.state, "finished");
  EXPECT_EQ(sink(state).stale, "");
  EXPECT_EQ(store_->stored.size(), 1000U);
  EXPECT_EQ(std::set(store_->stored.begin(), store_->stored.end()).size(), 1000U);
}

TEST_F(GroupSinkTest, AStopCountsWhatCouldNotBeStored) {
  store_->away = true;
  const auto stream = start("items: 100");
  while (store_->opened < 2) std::this_thread::yield();
  stream->stop();
  const auto state = stream->state();
  expect_balanced(state);
  EXPECT_EQ(sink(state).held, 0U);
  EXPECT_EQ(sink(state).consumed, state.items);
  EXPECT_THAT(sink(state).dropped, ::testing::ElementsAre(::testing::Pair("stopped", state.items)));
}

/// Counts what comes home.
TEST_F(GroupSinkTest, AReceiptIsKeptUntilTheItemIsStoredAndRevokedWhenItNeverIs) {
  std::vector<Outcome> outcomes;
  const auto book = std::make_shared<ReceiptBook>([&](std::uint64_t, Outcome outcome) { outcomes.push_back(outcome); });
  testing::Caught caught;
  const auto item = [&](std::uint64_t sequence) {
    Item made;
    made.sequence = sequence;
    made.receipt = book->issue(sequence);
    return made;
  };
  {
    ToStore stage;
    ASSERT_TRUE(stage.open({.clock = &system_clock(), .resources = {{"store", store_}}, .stream = {}, .stop = {}}));
    ASSERT_TRUE(stage.process(item(1), caught));
    EXPECT_TRUE(outcomes.empty());
    ASSERT_TRUE(stage.flush(caught));
    EXPECT_THAT(outcomes, ::testing::ElementsAre(Outcome::kDone));
    store_->away = true;
    ASSERT_TRUE(stage.process(item(2), caught));
    ASSERT_FALSE(stage.flush(caught));
    EXPECT_EQ(outcomes.size(), 1U);
  }
  EXPECT_THAT(outcomes, ::testing::ElementsAre(Outcome::kDone, Outcome::kAgain));
}

}  // namespace
}  // namespace moru::edge
