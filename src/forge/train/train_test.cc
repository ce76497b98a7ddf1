// SPDX-License-Identifier: Apache-2.0
#include "forge/train/train.h"

#include <gmock/gmock.h>

#include "forge/data/synthetic_for_test.h"
#include "forge/train/batches.h"
#include "forge/train/network_graph.h"
#include "forge/train/trainer.h"

namespace moru::forge {
namespace {

using testing::HasSubstr;

TEST(Network, CnnSmallFitsItsRules) {
  const Network network = cnn_small();
  EXPECT_TRUE(check_network(network).has_value());
  EXPECT_GE(parameter_count(network), 150'000U);
  EXPECT_LE(parameter_count(network), 250'000U);
}

TEST(Network, LayerThatDoesNotFitIsRefused) {
  Network network = cnn_small();
  network.layers[3].in_channels += 1;
  const Status status = check_network(network);
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().message, HasSubstr("layer 3"));
  network = cnn_small();
  network.layers[3].input = 7;
  EXPECT_FALSE(check_network(network).has_value());
  network = cnn_small();
  network.layers.pop_back();
  EXPECT_THAT(check_network(network).error().message, HasSubstr("does not give 10 classes"));
  EXPECT_EQ(find_network("resnet", 10).error().code, ErrorCode::kNotFound);
}

TEST(Network, InitialWeightsFollowTheSeed) {
  const Network network = cnn_small();
  EXPECT_EQ(weights_digest(initial_weights(network, 3)), weights_digest(initial_weights(network, 3)));
  EXPECT_NE(weights_digest(initial_weights(network, 3)), weights_digest(initial_weights(network, 4)));
  EXPECT_EQ(initial_weights(network, 3).size(), weight_count(network));
}

TEST(NetworkGraph, WeightsComeBack) {
  const Network network = cnn_small();
  const Weights weights = initial_weights(network, 9);
  const auto graph = to_graph(network, weights);
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_EQ(graph->value(graph->inputs[0]).name, kImageInput);
  EXPECT_EQ(graph->value(graph->outputs[0]).name, kProbabilitiesOutput);
  const auto named = network_of(*graph, 10);
  ASSERT_TRUE(named.has_value());
  const auto back = weights_from_graph(*named, *graph);
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(*back, weights);
}

TEST(NetworkGraph, ForeignGraphIsRefused) {
  auto graph = to_graph(cnn_small(), initial_weights(cnn_small(), 1));
  ASSERT_TRUE(graph.has_value());
  graph->nodes()[1].op = "Relu";
  const auto weights = weights_from_graph(cnn_small(), *graph);
  ASSERT_FALSE(weights.has_value());
  EXPECT_THAT(weights.error().message, HasSubstr("expected BatchNormalization"));
  graph->metadata.clear();
  EXPECT_EQ(network_of(*graph, 10).error().code, ErrorCode::kInvalidArgument);
}

TEST(Batches, EveryImageOnceAnEpochInANewOrder) {
  const ImageSet set = synthetic_set_for_test(30, 10, 4);
  Batches batches(set, 0.0, 1.0, {.batch = 10, .seed = 2});
  std::vector<std::vector<float>> epochs;
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::vector<float>& sums = epochs.emplace_back();
    for (int i = 0; i < 3; ++i) {
      batches.next();
      for (std::size_t k = 0; k < 10; ++k) {
        float sum = 0;
        for (const float x : batches.images().subspan(k * 784, 784)) sum += x;
        sums.push_back(sum);
      }
    }
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_THAT(epochs[1], testing::UnorderedElementsAreArray(epochs[0]));
}

TEST(Batches, ShiftAndFlipMovePixelsAndFillWithBackground) {
  std::vector<std::uint8_t> pixels(28 * 28, 0);
  pixels[0] = 255;
  const ImageSet set{model::Tensor::of<std::uint8_t>({1, 28, 28}, pixels), model::Tensor::of<std::uint8_t>({1}, {0})};
  Batches batches(set, 0.0, 1.0, {.batch = 1, .shift_px = 1, .flip = true, .seed = 3});
  int left = 0;
  int right = 0;
  int gone = 0;
  for (int i = 0; i < 100; ++i) {
    batches.next();
    const auto image = batches.images();
    bool found = false;
    for (std::size_t y = 0; y < 2; ++y) {
      for (const std::size_t x : {0U, 1U, 26U, 27U}) {
        if (image[y * 28 + x] < 0.5F) continue;
        found = true;
        ++(x < 2 ? left : right);
      }
    }
    gone += found ? 0 : 1;
  }
  EXPECT_GT(left, 10);
  EXPECT_GT(right, 10);
  EXPECT_GT(gone, 10) << "a shift over the edge must not wrap around";
  EXPECT_EQ(left + right + gone, 100);
}

TEST(OneCycle, RisesToThePeakAndFallsToNothing) {
  const TrainRecipe recipe{.learning_rate = 0.2, .warm_up = 0.25};
  EXPECT_LT(one_cycle_rate(recipe, 0, 1000), 0.001);
  EXPECT_NEAR(one_cycle_rate(recipe, 250, 1000), 0.2, 1e-3);
  EXPECT_LT(one_cycle_rate(recipe, 999, 1000), 1e-6);
}

TEST(TrainRecipe, ReadsFieldsAndKeepsDefaults) {
  const auto document = ConfigObject::parse("apiVersion: moru.dev/v1\nkind: Recipe\nmetadata: {name: quick}\nspec: {type: train, epochs: 2, flip: false}\n", "r.yaml");
  ASSERT_TRUE(document.has_value());
  const auto recipe = read_train_recipe(*document);
  ASSERT_TRUE(recipe.has_value()) << recipe.error().message;
  EXPECT_EQ(recipe->name, "quick");
  EXPECT_EQ(recipe->epochs, 2);
  EXPECT_FALSE(recipe->flip);
  EXPECT_EQ(recipe->batch, TrainRecipe{}.batch);
  EXPECT_NE(describe(*recipe), describe(TrainRecipe{}));
}

TEST(TrainRecipe, UnknownFieldNamesTheNearest) {
  const auto document = ConfigObject::parse("apiVersion: moru.dev/v1\nkind: Recipe\nmetadata: {name: q}\nspec:\n  type: train\n  epoch: 2\n", "r.yaml");
  ASSERT_TRUE(document.has_value());
  const auto recipe = read_train_recipe(*document);
  ASSERT_FALSE(recipe.has_value());
  EXPECT_THAT(recipe.error().message, HasSubstr("epochs"));
}

TEST(CacheKey, ChangesWithEachInput) {
  const Dataset dataset = synthetic_dataset_for_test(20, 10);
  const Weights initial(3, 1.0F);
  const std::string key = train_cache_key(dataset, {}, {}, "lib 1");
  EXPECT_EQ(key, train_cache_key(dataset, {}, {}, "lib 1"));
  EXPECT_NE(key, train_cache_key(dataset, {}, {.seed = 2}, "lib 1"));
  EXPECT_NE(key, train_cache_key(dataset, {}, {.threads = 1}, "lib 1"));
  EXPECT_NE(key, train_cache_key(dataset, {}, {.initial = &initial}, "lib 1"));
  EXPECT_NE(key, train_cache_key(dataset, {.epochs = 1}, {}, "lib 1"));
  EXPECT_NE(key, train_cache_key(dataset, {}, {}, "lib 2"));
}

TEST(TrainerLibrary, MissingOneSaysWhatToInstall) {
  const auto table = open_trainer_library("/nonexistent/libmoru_trainer.so");
  ASSERT_FALSE(table.has_value());
  EXPECT_EQ(table.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(table.error().message, HasSubstr("apt install"));
}

TEST(TrainerLibrary, ForeignLibraryIsRefused) {
  const auto table = open_trainer_library("libm.so.6");
  ASSERT_FALSE(table.has_value());
  EXPECT_THAT(table.error().message, HasSubstr(kMoruTrainerSymbol));
}

}  // namespace
}  // namespace moru::forge
