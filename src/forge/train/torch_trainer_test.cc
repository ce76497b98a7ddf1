// SPDX-License-Identifier: Apache-2.0
// What needs libtorch.
#include <gmock/gmock.h>

#include "forge/data/synthetic_for_test.h"
#include "forge/train/train.h"
#include "forge/train/trainer.h"

namespace moru::forge {
namespace {

const TrainRecipe kQuick{.epochs = 3, .batch = 20, .learning_rate = 0.05, .shift_px = 0, .flip = false};

TEST(Train, LearnsWhatCanBeLearned) {
  const Dataset dataset = synthetic_dataset_for_test();
  std::vector<double> losses;
  const auto result = train(dataset, kQuick, {.seed = 1, .threads = 1, .progress = [&](const TrainProgress& progress) {
                                                losses.push_back(progress.loss);
                                                return true;
                                              }});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_GT(result->validation_top1, 0.95);
  EXPECT_LT(result->loss, losses.front() / 2);
  EXPECT_EQ(losses.size(), 60U);
}

TEST(Train, SameSeedSameWeightsToTheDigest) {
  const Dataset dataset = synthetic_dataset_for_test(200, 20);
  const TrainRecipe recipe{.epochs = 2, .batch = 50};
  const auto a = train(dataset, recipe, {.seed = 7, .threads = 2});
  const auto b = train(dataset, recipe, {.seed = 7, .threads = 2});
  const auto c = train(dataset, recipe, {.seed = 8, .threads = 2});
  ASSERT_TRUE(a && b && c);
  EXPECT_EQ(a->weights_digest, b->weights_digest);
  EXPECT_EQ(a->weights_digest, weights_digest(a->weights));
  EXPECT_NE(a->weights_digest, c->weights_digest);
}

TEST(Train, GoesOnFromGivenWeights) {
  const Dataset dataset = synthetic_dataset_for_test();
  const auto first_result = train(dataset, kQuick, {.seed = 1, .threads = 1});
  ASSERT_TRUE(first_result.has_value());
  double loss_at_start = 0.0;
  const auto on = train(dataset, fine_tune_recipe(kQuick), {.seed = 2, .threads = 1, .initial = &first_result->weights, .progress = [&](const TrainProgress& progress) {
                                                             if (progress.step == 1) loss_at_start = progress.loss;
                                                             return true;
                                                           }});
  ASSERT_TRUE(on.has_value()) << on.error().message;
  EXPECT_LT(loss_at_start, 1.0) << "random weights would begin at ln 10 = 2.3";
  EXPECT_NE(on->weights_digest, first_result->weights_digest);
}

TEST(Train, StopsWhenAsked) {
  const Dataset dataset = synthetic_dataset_for_test(200, 20);
  int steps = 0;
  const auto result = train(dataset, kQuick, {.progress = [&](const TrainProgress&) { return ++steps < 3; }});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(steps, 3);
}

TEST(Train, DatasetThatDoesNotFitIsRefused) {
  Dataset dataset = synthetic_dataset_for_test(20, 10);
  EXPECT_EQ(train(dataset, {.batch = 21}, {}).error().code, ErrorCode::kInvalidArgument);
  dataset.train.images = dataset.train.images.reshaped({20, 14, 56});
  EXPECT_EQ(train(dataset, {.batch = 10}, {}).error().code, ErrorCode::kInvalidArgument);
}

TEST(Trainer, RefusesWhatDoesNotFit) {
  const Network network = cnn_small();
  auto trainer = Trainer::create(network, 1);
  ASSERT_TRUE(trainer.has_value()) << trainer.error().message;
  const std::vector<float> pixels(784, 0.0F);
  EXPECT_EQ(trainer->set_weights(Weights(3)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(trainer->step(pixels, std::vector<std::int64_t>{10}, {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(trainer->step(pixels, std::vector<std::int64_t>{1, 2}, {}).error().code, ErrorCode::kInvalidArgument);
  std::vector<float> logits(9);
  EXPECT_EQ(trainer->predict(pixels, logits).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Trainer::create(network, 0).error().code, ErrorCode::kInvalidArgument);
}

TEST(Trainer, WeightsComeBackAsSet) {
  const Network network = cnn_small();
  auto trainer = Trainer::create(network, 1);
  ASSERT_TRUE(trainer.has_value());
  const Weights weights = initial_weights(network, 5);
  ASSERT_TRUE(trainer->set_weights(weights).has_value());
  const auto back = trainer->weights();
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(*back, weights);
}

}  // namespace
}  // namespace moru::forge
