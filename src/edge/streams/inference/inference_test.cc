// SPDX-License-Identifier: Apache-2.0
// The stage infer with models from files, one item at a time and several.
#include "edge/streams/inference/inference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "core/random.h"
#include "edge/streams/inference/model_file.h"
#include "edge/streams/stage_for_test.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"

namespace moru::edge {
namespace {

using model::Tensor;
using testing::Caught;
using ::testing::HasSubstr;

class InferenceTest : public ::testing::Test {
 protected:
  std::string path(std::string_view name) const { return (folder_.path() / name).string(); }
  /// Writes a graph as ONNX and gives its path.
  std::string write(std::string_view name, std::string_view text) const {
    auto graph = model::parse_text(text);
    EXPECT_TRUE(graph) << graph.error().message;
    std::ofstream(path(name), std::ios::binary) << model::write_onnx(*graph).value();
    return path(name);
  }
  std::string write_layers() const {
    return write("layers.onnx", R"(graph "g" {
      opset 13
      input x: float32[N, 4]
      init a = float32[4, 3] {0.3, -0.7, 0.2, 0.9, 0.1, -0.4, 0.5, 0.6, -0.8, -0.2, 0.4, 0.7}
      init b = float32[3, 2] {1.1, -0.3, 0.7, 0.9, -0.6, 0.2}
      h: float32[N, 3] = MatMul(x, a)
      r: float32[N, 3] = Relu(h)
      y: float32[N, 2] = MatMul(r, b)
      output y
    })");
  }
  static std::unique_ptr<Stage> open(const std::string& options) {
    static StageContext context{.clock = &system_clock(), .resources = {}, .stream = "test", .stop = {}};
    auto stage = testing::make_stage("infer", options);
    EXPECT_TRUE(stage) << stage.error().message;
    const auto opened = (*stage)->open(context);
    EXPECT_TRUE(opened) << opened.error().message;
    const auto ready = (*stage)->prepare();
    EXPECT_TRUE(ready) << ready.error().message;
    return std::move(*stage);
  }
  static std::string error_of(const std::string& options) {
    StageContext context{.clock = &system_clock(), .resources = {}, .stream = "test", .stop = {}};
    auto stage = testing::make_stage("infer", options);
    if (!stage) return stage.error().message;
    if (const auto opened = (*stage)->open(context); !opened) return opened.error().message;
    const auto ready = (*stage)->prepare();
    return ready ? "" : ready.error().message;
  }
  static std::vector<Item> items(std::size_t count, std::int64_t width, float scale = 1.0F) {
    Rng rng(11);
    std::vector<Item> result(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<float> values(static_cast<std::size_t>(width));
      for (float& value : values) value = scale * static_cast<float>(rng.normal());
      result[i].sequence = i + 1;
      result[i].set("tensor", Tensor::of<float>({1, width}, values));
    }
    return result;
  }
  /// Gives the items in batches of 1, 2, 3, ...
  static std::vector<Item> run_in_batches(Stage& stage, std::vector<Item> all) {
    Caught caught;
    std::size_t size = 1;
    for (std::size_t first = 0; first < all.size(); first += size, ++size) {
      const auto part = std::span(all).subspan(first, std::min(size, all.size() - first));
      std::vector<Status> results(part.size());
      stage.process_batch(0, part, caught, results);
      for (const auto& result : results) EXPECT_TRUE(result) << result.error().message;
    }
    return std::move(caught.items);
  }
  static std::vector<Item> run_alone(Stage& stage, std::vector<Item> all) {
    Caught caught;
    for (Item& item : all) EXPECT_TRUE(stage.process(std::move(item), caught));
    return std::move(caught.items);
  }

  TempFolder folder_ = std::move(*TempFolder::create("moru-inference"));
};

TEST_F(InferenceTest, BatchesGiveTheResultsOfOneAfterTheOther) {
  const std::string model = write_layers();
  const auto alone = run_alone(*open("{model: " + model + ", answer: values}"), items(100, 4));
  const auto batched = run_in_batches(*open("{model: " + model + ", answer: values, max_batch: 8}"), items(100, 4));
  ASSERT_EQ(batched.size(), 100U);
  for (std::size_t i = 0; i < batched.size(); ++i) {
    EXPECT_EQ(batched[i].sequence, i + 1);
    EXPECT_TRUE(model::same_bits(*batched[i].get<Tensor>("values"), *alone[i].get<Tensor>("values"))) << i;
  }
}

TEST_F(InferenceTest, AModelOfAFixedBatchRunsItemByItem) {
  const std::string model = write("fixed.onnx", "graph \"g\" { opset 13 input x: float32[1, 4] y: float32[1, 4] = Relu(x) output y }");
  EXPECT_EQ(run_in_batches(*open("{model: " + model + ", answer: values, max_batch: 8}"), items(20, 4)).size(), 20U);
}

TEST_F(InferenceTest, AnItemThatDoesNotFitFailsAlone) {
  const auto stage = open("{model: " + write_layers() + ", activation: softmax, max_batch: 4}");
  auto all = items(4, 4);
  all[1].set("tensor", Tensor::of<float>({1, 3}, {1, 2, 3}));
  all[2].set("tensor", Tensor::of<float>({4}, {1, 2, 3, 4}));  // without the batch's extent
  all[3].set("tensor", Tensor::of<float>({1, 4}, {3e38F, 3e38F, 3e38F, 3e38F}));
  std::vector<Status> results(4);
  Caught caught;
  stage->process_batch(0, all, caught, results);
  EXPECT_TRUE(results[0]);
  EXPECT_THAT(results[1].error().message, HasSubstr("found a tensor float32 [1, 3], expected float32 [N, 4]"));
  EXPECT_TRUE(results[2]);
  EXPECT_THAT(results[3].error().message, HasSubstr("not finite"));
  ASSERT_EQ(caught.items.size(), 2U);
  const auto probabilities = caught.items[0].get<Tensor>("probabilities")->data<float>();
  EXPECT_NEAR(double{probabilities[0]} + double{probabilities[1]}, 1.0, 1e-6);
}

TEST_F(InferenceTest, TheErrorIsTheMeanSquaredDifferenceToTheInput) {
  const auto stage = open("{model: " + write("half.onnx", R"(graph "g" {
    opset 13
    input x: float32[N, 2]
    init half = float32[] {0.5}
    y: float32[N, 2] = Mul(x, half)
    output y })") + ", answer: error, output: score}");
  Item item;
  item.set("tensor", Tensor::of<float>({1, 2}, {2.0F, 4.0F}));
  Caught caught;
  ASSERT_TRUE(stage->process(std::move(item), caught));
  EXPECT_EQ(*caught.items.at(0).get<double>("score"), 2.5);
  EXPECT_EQ(caught.items[0].find("class"), nullptr);
}

TEST_F(InferenceTest, LevelsOfATfliteModelAreRealsOutside) {
  const char* data = std::getenv("MORU_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "MORU_TEST_DATA is not set";
  const std::string folder = std::string(data) + "/mlperf_tiny/";
  const auto scores = [&](const std::string& model, bool batched) {
    const auto stage = open("{model: " + folder + model + ", backend: native, answer: error" + (batched ? ", max_batch: 16}" : "}"));
    std::vector<double> result;
    for (const Item& item : batched ? run_in_batches(*stage, items(40, 640, 10.0F)) : run_alone(*stage, items(40, 640, 10.0F)))
      result.push_back(*item.get<double>("error"));
    return result;
  };
  const auto levels = scores("ad01_int8.tflite", false);
  EXPECT_EQ(scores("ad01_int8.tflite", true), levels);
  // Noise is not what it was trained on, and levels end at a border: near is enough to see that scales and zero points are right.
  const auto floats = scores("ad01_fp32.tflite", false);
  for (std::size_t i = 0; i < floats.size(); ++i) EXPECT_NEAR(levels[i] / floats[i], 1.0, 0.3) << i;
}

TEST_F(InferenceTest, AFileThatIsNoModelIsRefused) {
  EXPECT_THAT(error_of("{model: " + path("none.onnx") + "}"), HasSubstr("none.onnx"));
  EXPECT_THAT(error_of("{model: " + path("model.txt") + "}"), HasSubstr("model.txt"));
  std::ofstream(path("garbage.onnx")) << "garbage";
  EXPECT_THAT(error_of("{model: " + path("garbage.onnx") + "}"), HasSubstr("garbage.onnx"));
  EXPECT_THAT(error_of("{model: line}"), HasSubstr("no model slot 'line'"));
  EXPECT_THAT(error_of("{model: line, backend: native}"), HasSubstr("test.yaml:1: found 'backend'"));
  EXPECT_THAT(error_of("{model: a.onnx, backend: nativ}"), HasSubstr("did you mean 'native'"));
  EXPECT_THAT(error_of("{model: a.onnx, answer: error, reference: truth}"), HasSubstr("found 'reference'"));
  EXPECT_THAT(error_of("{model: " + write_layers() + ", answer: error}"), HasSubstr("has 2 values, and the input 4"));
}

}  // namespace
}  // namespace moru::edge
