// SPDX-License-Identifier: Apache-2.0
// Batches and swaps in a running stream.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "edge/streams/inbox.h"
#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

/// Says which model it is: the output is its release. Counts the largest batch.
class CountingSession final : public runtime::Session {
 public:
  explicit CountingSession(std::int64_t release) : release_(release) {
    inputs_.push_back({.name = "x", .dtype = model::DType::kFloat32, .shape = {{-1, "N"}, {2, ""}}});
    outputs_.push_back({.name = "y", .dtype = model::DType::kFloat32, .shape = {{-1, "N"}, {1, ""}}});
  }
  std::span<const runtime::Port> inputs() const override { return inputs_; }
  std::span<const runtime::Port> outputs() const override {
    const std::lock_guard lock(mutex_);
    asked_by.insert(std::this_thread::get_id());
    return outputs_;
  }
  Status run(std::span<const model::ConstTensorView>, std::span<const model::TensorView> outputs) override {
    auto* to = reinterpret_cast<float*>(outputs[0].bytes.data());
    const std::int64_t batch = outputs[0].dims[0];
    largest = std::max(largest.load(), batch);
    for (std::int64_t i = 0; i < batch; ++i) to[i] = static_cast<float>(release_);
    return {};
  }
  Result<std::vector<model::Dims>> prepare(std::span<const model::Dims> inputs) override {
    prepared.push_back(inputs[0][0]);
    return Session::prepare(inputs);
  }
  std::atomic<std::int64_t> largest{0};
  std::vector<std::int64_t> prepared;
  mutable std::set<std::thread::id> asked_by;  ///< who made memory for what it gives

 private:
  mutable std::mutex mutex_;
  const std::int64_t release_;
  std::vector<runtime::Port> inputs_;
  std::vector<runtime::Port> outputs_;
};

struct Counted {
  std::shared_ptr<LoadedModel> loaded = std::make_shared<LoadedModel>();
  CountingSession* session;  ///< borrowed from `loaded`
};
Counted counted(std::int64_t release) {
  Counted result;
  auto session = std::make_unique<CountingSession>(release);
  result.session = session.get();
  result.loaded->release = release;
  result.loaded->session = std::move(session);
  return result;
}

/// Keeps what comes.
class Collected final : public Resource {
 public:
  std::mutex mutex;
  std::vector<Item> items;
};
class Collect final : public Stage {
 public:
  Status open(const StageContext& context) override {
    to_ = context.resource<Collected>("collected");
    return {};
  }
  Status process(Item&& item, Output&) override {
    const std::lock_guard lock(to_->mutex);
    to_->items.push_back(std::move(item));
    return {};
  }

 private:
  std::shared_ptr<Collected> to_;
};
Result<std::unique_ptr<Stage>> create_collect(const ConfigObject&) { return std::make_unique<Collect>(); }
const StageSpec kCollect{.name = "collect", .kind = StageKind::kSink, .doc = "", .example = "", .create = create_collect, .light = true};

constexpr std::string_view kStream = R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {name: test}
spec:
  stages:
    - {name: source, stage: synthetic, options: {items: 40000}}
    - {name: rows, stage: stack, inputs: [source], options: {fields: [value], rows: 2}}
    - {name: infer, stage: infer, inputs: [rows], options: {model: line, answer: values, max_batch: 8, max_wait_us: 50}}
    - {name: sink, stage: collect, inputs: [infer]}
)";

TEST(Swap, UnderLoadMissesNothingAndKeepsTheOrder) {
  std::vector<const StageSpec*> table(all_stages().begin(), all_stages().end());
  table.push_back(&kCollect);
  const auto spec = read_stream(*ConfigObject::parse(kStream, "test.yaml"), table);
  ASSERT_TRUE(spec) << spec.error().message;
  auto slot = std::make_shared<ModelSlot>();
  auto collected = std::make_shared<Collected>();
  const auto first = counted(1);
  slot->swap(first.loaded);
  StageContext context{.clock = &system_clock(), .resources = {{"model/line", slot}, {"collected", collected}}, .stream = {}, .stop = {}};
  auto stream = Stream::start(*spec, std::move(context));
  ASSERT_TRUE(stream) << stream.error().message;
  std::vector<Counted> models;
  for (std::int64_t release = 2; !(*stream)->finished(); ++release) {
    models.push_back(counted(release));
    if (release % 2 == 0) slot->set_shadow(models.back().loaded);
    slot->swap(models.back().loaded);
    EXPECT_THAT(models.back().session->prepared, ::testing::ElementsAre(1, 2, 4, 8)) << "before the stage has it";
    std::this_thread::yield();
  }
  ASSERT_EQ(collected->items.size(), 20'000U);
  std::int64_t last = 0;
  for (std::size_t i = 0; i < collected->items.size(); ++i) {
    const Item& item = collected->items[i];
    ASSERT_EQ(item.sequence, i + 1);
    const std::int64_t release = *item.get<std::int64_t>("release");
    ASSERT_EQ(item.get<model::Tensor>("values")->data<float>()[0], static_cast<float>(release));
    ASSERT_GE(release, last);
    last = release;
  }
  EXPECT_GT(last, 1);
  const auto state = (*stream)->state();
  for (const auto& link : state.ledger) EXPECT_EQ(link.out, link.in) << link.link;
}

TEST(Swap, WhoPutsAModelInMakesWhatItNeedsAndNotTheItemBehindIt) {
  const auto slot = std::make_shared<ModelSlot>();
  const auto stage = testing::make_stage("infer", "{model: line, answer: values, max_batch: 8}");
  ASSERT_TRUE(stage) << stage.error().message;
  ASSERT_TRUE((*stage)->open({.clock = &system_clock(), .resources = {{"model/line", slot}}, .stream = {}, .stop = {}}));
  const auto agent = [&](auto action) {
    std::thread thread([&] { action(); });
    const auto id = thread.get_id();
    thread.join();
    return id;
  };
  testing::Caught caught;
  const auto released = [&] {
    Item item;
    item.set("tensor", model::Tensor::of<float>({1, 2}, {1.0F, 2.0F}));
    EXPECT_TRUE((*stage)->process(std::move(item), caught));
    return *caught.items.back().get<std::int64_t>("release");
  };
  const auto first = counted(1);
  const auto id = agent([&] { slot->swap(first.loaded); });
  ASSERT_TRUE((*stage)->prepare());
  EXPECT_EQ(released(), 1);
  EXPECT_THAT(first.session->asked_by, ::testing::ElementsAre(id));

  const auto second = counted(2);
  const auto candidate = agent([&] { slot->set_shadow(second.loaded); });
  EXPECT_EQ(released(), 1);
  agent([&] { slot->swap(second.loaded); });
  agent([&] { slot->set_shadow(nullptr); });
  EXPECT_EQ(released(), 2);
  EXPECT_THAT(second.session->asked_by, ::testing::ElementsAre(candidate)) << "what a candidate has is taken over";
}

TEST(Swap, BatchesAreFilledWhereItemsWait) {
  auto slot = std::make_shared<ModelSlot>();
  std::vector<const StageSpec*> table(all_stages().begin(), all_stages().end());
  table.push_back(&kCollect);
  const auto spec = read_stream(*ConfigObject::parse(kStream, "test.yaml"), table);
  ASSERT_TRUE(spec);
  const auto model = counted(1);
  slot->swap(model.loaded);
  auto collected = std::make_shared<Collected>();
  StageContext context{.clock = &system_clock(), .resources = {{"model/line", slot}, {"collected", collected}}, .stream = {}, .stop = {}};
  auto stream = Stream::start(*spec, std::move(context));
  ASSERT_TRUE(stream);
  while (!(*stream)->finished()) std::this_thread::yield();
  EXPECT_EQ(model.session->largest, 8);
}

class GatherTest : public ::testing::Test {
 protected:
  void put(std::size_t count) {
    std::vector<Element> batch(count);
    inbox_.push(0, batch);
  }
  std::size_t take() {
    std::vector<Element> batch;
    const auto taken = inbox_.take(batch, {.limit = 4, .clock = &clock_, .wait = kSecond});
    return taken && !taken->ended ? batch.size() : 0;
  }
  std::mutex mutex_;
  FakeClock clock_;
  Inbox inbox_{{{.name = "a->b", .capacity = 8, .overflow = OverflowPolicy::kBlock}}, mutex_};
};

TEST_F(GatherTest, AnItemThatComesAloneIsNotKeptWaiting) {
  put(1);
  EXPECT_EQ(take(), 1U);
}

TEST_F(GatherTest, SeveralWaitForMoreButNotForEver) {
  put(2);
  std::atomic<std::size_t> got{0};
  std::thread reader([&] { got = take(); });
  put(2);
  reader.join();
  EXPECT_EQ(got, 4U);
  put(3);
  std::thread second([&] { got = take(); });
  while (got == 4U) clock_.advance(kSecond / 10);
  second.join();
  EXPECT_EQ(got, 3U);
}

TEST_F(GatherTest, TheEndOfTheWriterEndsTheWait) {
  put(2);
  std::thread writer([&] { inbox_.close(0); });
  EXPECT_EQ(take(), 2U);
  writer.join();
}

}  // namespace
}  // namespace moru::edge
