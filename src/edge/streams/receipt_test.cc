// SPDX-License-Identifier: Apache-2.0
// A source that can wait is told that an item is stored when it is, not before, and never of one that was lost.
#include "edge/streams/receipt.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <thread>

#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class Settled {
 public:
  std::shared_ptr<ReceiptBook> book =
      std::make_shared<ReceiptBook>([this](std::uint64_t number, Outcome outcome) { list.emplace_back(number, outcome); });
  std::vector<std::pair<std::uint64_t, Outcome>> list;
};

TEST(Receipt, ComesHomeWithTheLastCopy) {
  Settled settled;
  Receipt first = settled.book->issue(7);
  Receipt second = first;
  EXPECT_EQ(settled.book->unsettled(), 1U);
  first.reset();
  EXPECT_TRUE(settled.list.empty());
  second = Receipt();
  EXPECT_THAT(settled.list, ElementsAre(Pair(7U, Outcome::kDone)));
  EXPECT_EQ(settled.book->unsettled(), 0U);
}

TEST(Receipt, IsRevokedForAllCopies) {
  Settled settled;
  Receipt first = settled.book->issue(1);
  {
    const Receipt lost = first;
    lost.revoke();
  }
  first.reset();
  EXPECT_THAT(settled.list, ElementsAre(Pair(1U, Outcome::kAgain)));
}

TEST(Receipt, OfSeveralWaitsForAllAndRevokesAll) {
  Settled settled;
  Receipt window;
  const Receipt shared = settled.book->issue(1);
  window.add(shared);
  window.add(settled.book->issue(2));
  Receipt emitted = window;  // an item took it for what it was
  window.add(settled.book->issue(3));
  window.reset();
  EXPECT_THAT(settled.list, ElementsAre(Pair(3U, Outcome::kDone)));
  emitted.revoke();
  emitted.reset();
  EXPECT_THAT(settled.list, ElementsAre(Pair(3U, Outcome::kDone), Pair(2U, Outcome::kAgain)));
}

TEST(Receipt, GrownFromVeryManyGoesWithoutRecursion) {
  Settled settled;
  std::vector<Receipt> kept;
  Receipt all;
  for (std::uint64_t i = 0; i < 200'000; ++i) {
    all.add(settled.book->issue(i));
    if (i % 2 == 0) kept.push_back(all);  // so that the next one is put around this one
  }
  all.revoke();
  kept.clear();
  all.reset();
  EXPECT_EQ(settled.list.size(), 200'000U);
  EXPECT_EQ(settled.book->unsettled(), 0U);
}

TEST(Receipt, MayOutliveItsSource) {
  Receipt late;
  {
    Settled settled;
    late = settled.book->issue(1);
    settled.book->close();
  }
  late.reset();
}

/// What the stages below share with their test.
class Post final : public Resource {
 public:
  void settle(std::uint64_t sequence, Outcome outcome) {
    const std::lock_guard lock(mutex_);
    ASSERT_TRUE(settled_.emplace(sequence, outcome).second) << sequence << " was settled twice";
  }
  std::map<std::uint64_t, Outcome> settled() const {
    const std::lock_guard lock(mutex_);
    return settled_;
  }
  void take(Item&& item) {
    const std::lock_guard lock(mutex_);
    taken_.push_back(std::move(item));
  }
  /// The receiver says that it has stored what it was given.
  std::size_t confirm() {
    std::vector<Item> confirmed;
    const std::lock_guard lock(mutex_);
    confirmed.swap(taken_);
    return confirmed.size();
  }
  std::size_t taken() const {
    const std::lock_guard lock(mutex_);
    return taken_.size();
  }
  std::atomic<int> answered = 0;  ///< calls of acknowledge()
  std::atomic<bool> closed = false;

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, Outcome> settled_;
  std::vector<Item> taken_;
};

/// Items 1 to `items`, one a second of event time.
class Letters final : public SourceStage {
 public:
  explicit Letters(std::uint64_t items) : end_(items) {}
  Result<Schema> bind() override { return Schema{.fields = {{.name = "value"}}}; }
  Status open(const StageContext& context) override {
    post_ = context.resource<Post>("post");
    return {};
  }
  Result<bool> produce(Output& output) override {
    if (next_ >= end_) return false;
    Item item;
    item.sequence = ++next_;
    item.event_time = static_cast<TimeNs>(next_) * kSecond;
    item.set("value", static_cast<double>(next_));
    output.emit(std::move(item));
    return true;
  }
  void drain_at(std::uint64_t items) override { end_ = items; }
  void settle(std::uint64_t sequence, Outcome outcome) override { post_->settle(sequence, outcome); }
  Status acknowledge() override {
    ++post_->answered;
    return {};
  }
  Status close() override {
    post_->closed = true;
    return {};
  }

 private:
  std::shared_ptr<Post> post_;
  std::uint64_t next_ = 0;
  std::atomic<std::uint64_t> end_;
};

/// Hands items to a receiver that answers later; gives those up that have no answer when it is closed.
class Sender final : public Stage {
 public:
  Status open(const StageContext& context) override {
    post_ = context.resource<Post>("post");
    return {};
  }
  Status process(Item&& item, Output&) override {
    ++taken_;
    post_->take(std::move(item));
    return {};
  }
  TimeNs due() const override { return taken_ > used_ ? 0 : kNeverDue; }
  void on_due(Output& output) override {
    const std::size_t confirmed = taken_ - used_ - post_->taken();
    used_ += confirmed;
    output.used(confirmed);
  }
  std::uint64_t held() const override { return taken_ - used_; }

 private:
  std::shared_ptr<Post> post_;
  std::size_t taken_ = 0;
  std::size_t used_ = 0;
};

/// Fails item 2 for now, item 3 for good, item 4 because of a stop, and says that of 5 nobody wants it.
class Fussy final : public Stage {
 public:
  Status open(const StageContext&) override { return {}; }
  Status process(Item&& item, Output& output) override {
    const std::uint64_t number = item.sequence;
    if (number == 2) return fail(ErrorCode::kUnavailable, "no receiver");
    if (number == 3) return fail(ErrorCode::kCorrupt, "no letter");
    if (number == 4) return fail(ErrorCode::kCancelled, "stopped");
    if (number == 5) return drop(output, "unwanted");
    return {};
  }
};

/// Cuts each item in two new ones.
class Cutter final : public Stage {
 public:
  Status open(const StageContext&) override { return {}; }
  Status process(Item&&, Output& output) override {
    output.emit(Item{});
    output.emit(Item{});
    output.used(1);
    return {};
  }
};

Result<std::unique_ptr<SourceStage>> make_letters(const ConfigObject& object) {
  std::int64_t items = 0;
  ConfigReader reader(object);
  reader.required("items", &items);
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<Letters>(static_cast<std::uint64_t>(items));
}
template <class T>
Result<std::unique_ptr<Stage>> make(const ConfigObject&) {
  return std::make_unique<T>();
}
const StageSpec kLetters{
    .name = "letters", .kind = StageKind::kSource, .doc = "", .example = "", .create_source = make_letters, .acknowledges = true};
const StageSpec kSender{.name = "sender", .kind = StageKind::kSink, .doc = "", .example = "", .create = make<Sender>, .holds = true};
const StageSpec kFussy{.name = "fussy", .kind = StageKind::kSink, .doc = "", .example = "", .create = make<Fussy>};
const StageSpec kCutter{
    .name = "cutter", .kind = StageKind::kStage, .doc = "", .example = "", .create = make<Cutter>, .light = true, .holds = true};

class AcknowledgedStream : public ::testing::Test {
 protected:
  std::unique_ptr<Stream> start(std::string_view stages) {
    std::vector<const StageSpec*> table{&kLetters, &kSender, &kFussy, &kCutter};
    for (const StageSpec* one : all_stages()) table.push_back(one);
    const auto text = fmt::format("apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {{name: post}}\nspec:\n  stages:\n{}", stages);
    auto spec = read_stream(*ConfigObject::parse(text, "post.yaml"), table);
    EXPECT_TRUE(spec) << spec.error().message;
    auto stream = Stream::start(*spec, {.clock = nullptr, .resources = {{"post", post_}}, .stream = {}, .stop = {}});
    EXPECT_TRUE(stream) << stream.error().message;
    return std::move(*stream);
  }
  template <class Condition>
  static void wait_for(Condition condition) {
    while (!condition()) std::this_thread::yield();
  }
  std::shared_ptr<Post> post_ = std::make_shared<Post>();
};

TEST_F(AcknowledgedStream, TellsTheSourceWhenTheReceiverHasStoredAndNotBefore) {
  const auto stream = start(
      "    - {name: in, stage: letters, options: {items: 100}}\n"
      "    - {name: odd, stage: filter, inputs: [in], options: {where: value % 2 == 1}}\n"
      "    - {name: out, stage: sender, inputs: [odd]}\n");
  wait_for([&] { return post_->taken() == 50; });
  wait_for([&] { return post_->settled().size() == 50; });  // the even ones: nobody wants them
  for (const auto& [number, outcome] : post_->settled()) {
    EXPECT_EQ(number % 2, 0U);
    EXPECT_EQ(outcome, Outcome::kDone);
  }
  EXPECT_FALSE(stream->finished());  // the source waits for its receipts
  EXPECT_FALSE(post_->closed);
  EXPECT_EQ(stream->state().stages[0].unsettled, 50U);
  EXPECT_EQ(post_->confirm(), 50U);
  wait_for([&] { return stream->finished(); });
  EXPECT_EQ(post_->settled().size(), 100U);
  EXPECT_TRUE(post_->closed);
  EXPECT_GE(post_->answered, 1);
  const auto state = stream->state();
  for (const auto& row : state.stages) EXPECT_TRUE(row.balanced()) << row.name;
  EXPECT_EQ(state.stages[0].unsettled, 0U);
}

TEST_F(AcknowledgedStream, AnItemInAWindowIsStoredWithTheAggregate) {
  const auto stream = start(
      "    - {name: in, stage: letters, options: {items: 40}}\n"
      "    - {name: tens, stage: window, inputs: [in], options: {kind: sliding, size_ms: 20000, step_ms: 10000, set: {n: count()}}}\n"
      "    - {name: out, stage: sender, inputs: [tens]}\n");
  wait_for([&] { return post_->taken() == 6; });
  EXPECT_TRUE(post_->settled().empty());
  post_->confirm();
  wait_for([&] { return stream->finished(); });
  EXPECT_EQ(post_->settled().size(), 40U);
}

TEST_F(AcknowledgedStream, AnItemInATensorOrAMatchIsStoredWithIt) {
  for (const std::string_view stage :
       {"stage: stack, inputs: [in], options: {fields: [value], rows: 10}",
        "stage: rules, inputs: [in], options: {events: {any: {input: in}}, rules: {ten: {count: any, at_least: 10, within_ms: 60000}}}"}) {
    SCOPED_TRACE(stage);
    post_ = std::make_shared<Post>();
    const auto stream =
        start(fmt::format("    - {{name: in, stage: letters, options: {{items: 40}}}}\n"
                          "    - {{name: tens, {}}}\n"
                          "    - {{name: out, stage: sender, inputs: [tens]}}\n",
                          stage));
    wait_for([&] { return post_->taken() == 4; });
    EXPECT_TRUE(post_->settled().empty());
    post_->confirm();
    wait_for([&] { return stream->finished(); });
    EXPECT_EQ(post_->settled().size(), 40U);
  }
}

TEST_F(AcknowledgedStream, WhatRaisesAnAlertIsStoredWithIt) {
  const auto stream = start(
      "    - {name: in, stage: letters, options: {items: 40}}\n"
      "    - {name: alerts, stage: alert, inputs: [in], options: {when: value > 10, hold_ms: 5000}}\n"
      "    - {name: out, stage: sender, inputs: [alerts]}\n");
  wait_for([&] { return post_->taken() == 1; });
  wait_for([&] { return post_->settled().contains(40); });  // it is grouped
  EXPECT_FALSE(post_->settled().contains(11));
  post_->confirm();
  wait_for([&] { return stream->finished(); });
  EXPECT_EQ(post_->settled().size(), 40U);
}

TEST_F(AcknowledgedStream, WhatIsMadeOfAnItemCarriesItsReceipt) {
  const auto stream = start(
      "    - {name: in, stage: letters, options: {items: 3}}\n"
      "    - {name: cut, stage: cutter, inputs: [in]}\n"
      "    - {name: out, stage: sender, inputs: [cut]}\n");
  wait_for([&] { return post_->taken() == 6; });
  EXPECT_TRUE(post_->settled().empty());
  post_->confirm();
  wait_for([&] { return stream->finished(); });
  EXPECT_EQ(post_->settled().size(), 3U);
}

TEST_F(AcknowledgedStream, WhatWasLostForNowIsSentAgainAndWhatWasLostForGoodIsNot) {
  const auto stream = start(
      "    - {name: in, stage: letters, options: {items: 6}}\n"
      "    - {name: out, stage: fussy, inputs: [in]}\n");
  wait_for([&] { return stream->finished(); });
  EXPECT_THAT(post_->settled(), ElementsAre(Pair(1U, Outcome::kDone), Pair(2U, Outcome::kAgain), Pair(3U, Outcome::kDone),
                                            Pair(4U, Outcome::kAgain), Pair(5U, Outcome::kDone), Pair(6U, Outcome::kDone)));
}

TEST_F(AcknowledgedStream, StopsWithoutAnAnswerAndAcknowledgesNothing) {
  const auto stream = start(
      "    - {name: in, stage: letters, options: {items: 100000000}}\n"
      "    - {name: out, stage: sender, inputs: [in]}\n");
  wait_for([&] { return post_->taken() > 0; });
  stream->stop();
  EXPECT_TRUE(post_->settled().empty());
  EXPECT_TRUE(post_->closed);
}

}  // namespace
}  // namespace moru::edge
