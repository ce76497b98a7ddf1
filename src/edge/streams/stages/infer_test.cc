// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stages/infer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "edge/streams/stage_for_test.h"
#include "edge/streams/stages/normalise.h"

namespace moru::edge {
namespace {

using testing::Caught;
using testing::grey_model;
using ::testing::HasSubstr;
using testing::kSide;

class InferTest : public ::testing::Test {
 protected:
  std::unique_ptr<Stage> open(std::string_view name, std::string_view options) {
    auto stage = testing::make_stage(name, options);
    EXPECT_TRUE(stage) << stage.error().message;
    const auto status = (*stage)->open(context());
    EXPECT_TRUE(status) << status.error().message;
    return std::move(*stage);
  }
  std::unique_ptr<Stage> open_infer() { return open("infer", "{model: line, reference: order}"); }
  StageContext context() {
    return {.clock = &system_clock(), .resources = {{"model/line", slot_}}, .stream = "test", .stop = stop_.get_token()};
  }

  /// An item as it comes from image_to_tensor.
  static Item item_of(std::int64_t grey_class, std::int64_t order, const Normalisation& used = {}) {
    Item item;
    item.sequence = 1;
    const float value = static_cast<float>((25.0 * static_cast<double>(grey_class) / 255.0 - used.mean) / used.std);
    item.set("tensor", model::Tensor::of<float>({1, 1, kSide, kSide}, std::vector<float>(kSide * kSide, value)));
    item.set("order", order);
    note_normalisation(item, "tensor", used);
    return item;
  }

  std::shared_ptr<ModelSlot> slot_ = std::make_shared<ModelSlot>();
  std::stop_source stop_;
  Caught caught_;
};

TEST_F(InferTest, WritesProbabilitiesClassAndRelease) {
  slot_->swap(grey_model(7).loaded);
  const auto stage = open_infer();
  ASSERT_TRUE(stage->process(item_of(3, 3), caught_));
  ASSERT_EQ(caught_.items.size(), 1U);
  const Item& item = caught_.items[0];
  EXPECT_EQ(*item.get<std::int64_t>("class"), 3);
  EXPECT_EQ(*item.get<std::int64_t>("release"), 7);
  const auto* probabilities = item.get<model::Tensor>("probabilities");
  ASSERT_NE(probabilities, nullptr);
  EXPECT_EQ(probabilities->dims(), (model::Dims{10}));
  double sum = 0.0;
  for (const float p : probabilities->data<float>()) sum += double{p};
  EXPECT_NEAR(sum, 1.0, 1e-6);
  EXPECT_GT(probabilities->data<float>()[3], 0.99F);
}

TEST_F(InferTest, TakesProbabilitiesAsTheyAreWhenTheCardSaysSo) {
  auto model = grey_model(1);
  model.loaded->card.activation = "none";
  slot_->swap(model.loaded);
  const auto stage = open_infer();
  ASSERT_TRUE(stage->process(item_of(2, 2), caught_));
  EXPECT_NEAR(double{caught_.items[0].get<model::Tensor>("probabilities")->data<float>()[4]}, -40.0, 1e-3);
}

TEST_F(InferTest, ASwapTakesEffectAtTheNextItemAndStatisticsBeginAnew) {
  const auto first = grey_model(1);
  slot_->swap(first.loaded);
  const auto stage = open_infer();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stage->process(item_of(i, i), caught_));
  EXPECT_EQ(slot_->stats().items, 3U);
  EXPECT_EQ(slot_->stats().labelled, 3U);
  EXPECT_EQ(slot_->stats().right, 3U);
  EXPECT_GT(slot_->stats().p99_ns, 0);
  EXPECT_EQ(slot_->swap(grey_model(2, 1).loaded), first.loaded);
  EXPECT_EQ(slot_->stats().items, 0U);
  ASSERT_TRUE(stage->process(item_of(4, 4), caught_));
  EXPECT_EQ(*caught_.items.back().get<std::int64_t>("release"), 2);
  EXPECT_EQ(slot_->stats().right, 0U);
  EXPECT_EQ(slot_->stats().items, 1U);
  EXPECT_EQ(first.session->runs, 3);
}

TEST_F(InferTest, PutsRightATensorThatWasNormalisedForAnotherCard) {
  slot_->swap(grey_model(1, 0, 0.286, 0.353).loaded);
  const auto stage = open_infer();
  for (int c = 0; c < 10; ++c) ASSERT_TRUE(stage->process(item_of(c, c, {.mean = 0.5, .std = 2.0}), caught_));
  EXPECT_EQ(slot_->stats().right, 10U);
}

TEST_F(InferTest, AShadowRunsAfterTheItemWasPassedOnAndOnlyCounts) {
  slot_->swap(grey_model(1).loaded);
  const auto candidate = grey_model(2, 1, 0.2, 0.5);  // wrong by a class, with a card of its own
  slot_->set_shadow(candidate.loaded);
  const auto stage = open_infer();
  class Order final : public Output {
   public:
    explicit Order(const int& runs) : runs_(runs) {}
    void emit(Item&& item) override {
      shadow_runs_before = runs_;
      release = *item.get<std::int64_t>("release");
    }
    void drop(std::string_view) override {}
    int shadow_runs_before = -1;
    std::int64_t release = 0;

   private:
    const int& runs_;
  } output(candidate.session->runs);
  ASSERT_TRUE(stage->process(item_of(3, 3), output));
  EXPECT_EQ(output.shadow_runs_before, 0);
  EXPECT_EQ(output.release, 1);
  EXPECT_EQ(candidate.session->runs, 1);
  ASSERT_TRUE(stage->process(item_of(3, 4), output));  // a swapped item: the candidate happens to name its order
  auto stats = slot_->shadow_stats();
  EXPECT_EQ(stats.items, 2U);
  EXPECT_EQ(stats.labelled, 2U);
  EXPECT_EQ(stats.agree, 0U);
  EXPECT_EQ(stats.both_right, 0U);
  EXPECT_EQ(stats.only_current, 1U);
  EXPECT_EQ(stats.only_candidate, 1U);
  EXPECT_GT(stats.candidate_p99_ns, 0);
  candidate.session->fails = true;
  ASSERT_TRUE(stage->process(item_of(3, 3), output));
  stats = slot_->shadow_stats();
  EXPECT_EQ(stats.errors, 1U);
  EXPECT_EQ(stats.only_current, 2U);
  slot_->set_shadow(nullptr);
  ASSERT_TRUE(stage->process(item_of(3, 3), output));
  EXPECT_EQ(slot_->shadow_stats().items, 0U);
  EXPECT_EQ(candidate.session->runs, 3);
}

TEST_F(InferTest, CountsErrorsOfTheModelAndGoesOn) {
  auto model = grey_model(1);
  slot_->swap(model.loaded);
  const auto stage = open_infer();
  model.session->fails = true;
  EXPECT_FALSE(stage->process(item_of(1, 1), caught_));
  model.session->fails = false;
  model.session->gives_nan = true;
  const auto status = stage->process(item_of(1, 1), caught_);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("not finite"));
  model.session->gives_nan = false;
  EXPECT_TRUE(stage->process(item_of(1, 1), caught_));
  EXPECT_EQ(slot_->stats().errors, 2U);
  EXPECT_EQ(slot_->stats().items, 3U);
  EXPECT_EQ(slot_->stats().right, 1U);
}

TEST_F(InferTest, RefusesAModelWhoseClassesDoNotFitItsCard) {
  auto model = grey_model(1);
  model.loaded->card.labels = {"one", "two"};
  slot_->swap(model.loaded);
  const auto status = open_infer()->process(item_of(1, 1), caught_);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("has 10 classes, expected the 2"));
}

TEST_F(InferTest, WaitsForAModelAndSaysSo) {
  const auto stage = open_infer();
  std::thread worker([&] { EXPECT_TRUE(stage->prepare()); });
  while (stage->waiting_for() != "a release") std::this_thread::yield();
  slot_->swap(grey_model(1).loaded);
  worker.join();
  EXPECT_EQ(stage->waiting_for(), "");
}

TEST_F(InferTest, StopEndsTheWait) {
  const auto stage = open_infer();
  std::thread worker([&] {
    const auto status = stage->process(item_of(1, 1), caught_);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
  });
  stop_.request_stop();
  worker.join();
}

TEST_F(InferTest, NeedsItsSlotAndItsField) {
  auto stage = testing::make_stage("infer", "{model: other}");
  ASSERT_TRUE(stage);
  EXPECT_THAT((*stage)->open(context()).error().message, HasSubstr("no model slot 'other'"));
  slot_->swap(grey_model(1).loaded);
  EXPECT_THAT(open_infer()->process(Item{}, caught_).error().message, HasSubstr("field 'tensor'"));
  EXPECT_THAT(testing::make_stage("infer", "{modle: x, model: y}").error().message, HasSubstr("did you mean 'model'"));
}

TEST_F(InferTest, ModelsAreSwappedWhileItemsRun) {
  slot_->swap(grey_model(1).loaded);
  const auto stage = open_infer();
  std::atomic<bool> done{false};
  std::thread agent([&] {
    for (std::int64_t release = 2; !done; ++release) {
      slot_->set_shadow(grey_model(release).loaded);
      slot_->swap(grey_model(release).loaded);
      EXPECT_LE(slot_->stats().errors, 0U);
      EXPECT_LE(slot_->shadow_stats().agree, slot_->shadow_stats().items + 5000);
    }
  });
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(stage->process(item_of(i % 10, i % 10), caught_));
  done = true;
  agent.join();
  std::int64_t last = 0;
  for (const auto& item : caught_.items) {
    EXPECT_EQ(*item.get<std::int64_t>("class"), *item.get<std::int64_t>("order"));
    EXPECT_GE(*item.get<std::int64_t>("release"), last);
    last = *item.get<std::int64_t>("release");
  }
}

class ImageToTensorTest : public InferTest {};

TEST_F(ImageToTensorTest, NormalisesByItsOptions) {
  const auto stage = open("image_to_tensor", "{mean: 0.5, std: 0.25}");
  Item item;
  item.set("image", model::Tensor::of<std::uint8_t>({1, 3}, {0, 51, 255}));
  ASSERT_TRUE(stage->process(std::move(item), caught_));
  const auto* tensor = caught_.items[0].get<model::Tensor>("tensor");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(tensor->dims(), (model::Dims{1, 1, 1, 3}));
  EXPECT_FLOAT_EQ(tensor->data<float>()[0], -2.0F);
  EXPECT_FLOAT_EQ(tensor->data<float>()[1], -1.2F);
  EXPECT_FLOAT_EQ(tensor->data<float>()[2], 2.0F);
  EXPECT_EQ(*normalisation_of(caught_.items[0], "tensor"), (Normalisation{0.5, 0.25}));
}

TEST_F(ImageToTensorTest, FollowsTheCardOfTheCurrentModel) {
  slot_->swap(grey_model(1, 0, 0.1, 2.0).loaded);
  const auto stage = open("image_to_tensor", "{model: line}");
  for (const double mean : {0.1, 0.3}) {
    slot_->swap(grey_model(1, 0, mean, 2.0).loaded);
    Item item;
    item.set("image", model::Tensor::of<std::uint8_t>({1, 1}, {255}));
    ASSERT_TRUE(stage->process(std::move(item), caught_));
    EXPECT_FLOAT_EQ(caught_.items.back().get<model::Tensor>("tensor")->data<float>()[0], static_cast<float>((1.0 - mean) / 2.0));
  }
}

TEST_F(ImageToTensorTest, RefusesWhatIsNoImage) {
  const auto stage = open("image_to_tensor", "{}");
  Item item;
  item.set("image", model::Tensor::of<float>({1, 1}, {1.0F}));
  EXPECT_THAT(stage->process(std::move(item), caught_).error().message, HasSubstr("found float32 [1, 1]"));
  EXPECT_THAT(stage->process(Item{}, caught_).error().message, HasSubstr("found no tensor"));
  EXPECT_THAT(testing::make_stage("image_to_tensor", "{model: line, mean: 1}").error().message, HasSubstr("either"));
}

}  // namespace
}  // namespace moru::edge
