// SPDX-License-Identifier: Apache-2.0
// Real models on the built-in targets, from the folder that MORU_TEST_DATA names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "core/random.h"
#include "model/formats/formats.h"
#include "model/inspect/summary.h"
#include "model/ops/op.h"
#include "model/targets/check.h"
#include "model/targets/split.h"

namespace moru::model::targets {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

class TargetModels : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("MORU_TEST_DATA") == nullptr) GTEST_SKIP() << "set MORU_TEST_DATA to a folder with models/ and mlperf_tiny/";
  }

  static Graph load(const char* file) {
    auto graph = load_model(Path(std::getenv("MORU_TEST_DATA")) / file);
    EXPECT_TRUE(graph.has_value()) << graph.error().message;
    graph->remove_unused();
    return *graph;
  }
  static Checked check_on(Graph graph, const char* name) {
    const auto target = load_target(name);
    EXPECT_TRUE(target.has_value()) << target.error().message;
    auto checked = check(std::move(graph), *target);
    EXPECT_TRUE(checked.has_value()) << checked.error().message;
    return *checked;
  }
  static Graph bound(Graph graph) {
    auto numbered = bind_dims(std::move(graph), {});
    EXPECT_TRUE(numbered.has_value()) << numbered.error().message;
    return *numbered;
  }
};

TEST_F(TargetModels, AnInt8MobileNetRunsWholeOnTheEdgeTpu) {
  const Report report = check_on(bound(load("models/tf2_mobilenet_v2_1.0_224_ptq.tflite")), "coral-edgetpu").report;
  std::string why;
  for (const NodeReport& node : report.nodes) {
    for (const std::string& reason : node.reasons) why += node.op + ": " + reason + "\n";
  }
  EXPECT_TRUE(report.met()) << why;
  EXPECT_EQ(report.pieces, 1U);
  EXPECT_EQ(report.accelerator_macs, report.macs);
  EXPECT_GT(report.macs, 290'000'000);
  ASSERT_EQ(report.memory.size(), 1U);
  EXPECT_TRUE(report.memory[0].fits());
}

TEST_F(TargetModels, AFloatModelIsRefusedByTheEdgeTpuWithWhatToDo) {
  const Report report = check_on(bound(load("mlperf_tiny/vww_96_float.tflite")), "coral-edgetpu").report;
  EXPECT_FALSE(report.taken());
  EXPECT_THAT(report.refused, HasSubstr("quantised"));
  EXPECT_EQ(report.count(Place::kRefused), report.nodes.size());
  EXPECT_THAT(report.changes, Contains(Field(&Change::text, HasSubstr("quantise to 8 bits"))));
}

TEST_F(TargetModels, OpenExtentsAreWhatStandsInTheWay) {
  const Report report = check_on(load("mlperf_tiny/vww_96_int8.tflite"), "coral-edgetpu").report;
  EXPECT_FALSE(report.met());
  EXPECT_THAT(report.changes, Contains(Field(&Change::text, HasSubstr("--batch 1"))));
}

TEST_F(TargetModels, TinyModelsFitIntoAnMcu) {
  for (const char* file : {"mlperf_tiny/ad01_int8.tflite", "mlperf_tiny/kws_ref_model.tflite", "mlperf_tiny/pretrainedResnet_quant.tflite",
                           "mlperf_tiny/vww_96_int8.tflite"}) {
    const Report report = check_on(bound(load(file)), "cortex-m").report;
    std::string why;
    for (const NodeReport& node : report.nodes) {
      for (const std::string& reason : node.reasons) why += node.op + ": " + reason + "\n";
    }
    EXPECT_TRUE(report.met()) << file << "\n" << why;
  }
  const Report large = check_on(bound(load("models/tf2_mobilenet_v2_1.0_224_ptq.tflite")), "cortex-m").report;
  EXPECT_FALSE(large.taken());
  ASSERT_EQ(large.memory.size(), 2U);
  EXPECT_FALSE(large.memory[0].fits());  // 3.5 MB of weights
  EXPECT_FALSE(large.memory[1].fits());  // 1.5 MB of activations
}

TEST_F(TargetModels, AnOnnxModelIsCheckedInTheWordsOfTheDevice) {
  const Report report = check_on(load("models/mnist.onnx"), "cortex-m").report;
  EXPECT_TRUE(report.converted);
  EXPECT_EQ(report.count(Place::kRefused), 0U);
  EXPECT_GT(report.count(Place::kFallback), 0U) << "floats run in plain C";
  EXPECT_TRUE(check_on(load("models/mnist.onnx"), "nvidia-jetson").report.met());
  EXPECT_TRUE(check_on(load("models/Ultraface-RFB-320.onnx"), "x86-avx2").report.met());
}

TEST_F(TargetModels, UnsignedIntegersWithZeroPointsAreNothingForTensorRt) {
  const Report report = check_on(bound(load("models/mobilenet_v1_0.25_128_quant.tflite")), "nvidia-jetson").report;
  EXPECT_TRUE(report.converted);
  EXPECT_FALSE(report.taken());
  EXPECT_THAT(report.changes, Contains(Field(&Change::text, HasSubstr("quantise to int8"))));
}

/// Cut at each third node, where the processor takes over: as bad as it gets.
TEST_F(TargetModels, PiecesGiveTheBitsOfTheWhole) {
  for (const char* file : {"models/mnist.onnx", "mlperf_tiny/kws_ref_model.tflite", "models/Ultraface-RFB-320.onnx"}) {
    const Graph graph = bound(load(file));
    std::vector<bool> eligible;
    for (std::size_t i = 0; i < graph.nodes().size(); ++i) eligible.push_back(i % 3 != 2);
    const std::vector<std::int64_t> macs(eligible.size(), 1);
    const auto pieces = partition(successors_of(graph), eligible, macs, false);
    const auto models = split(graph, pieces);
    ASSERT_TRUE(models.has_value()) << models.error().message;
    std::vector<PieceNames> names;
    for (const PieceModel& model : *models) names.push_back(names_of(model.graph));
    Rng rng(5);
    std::vector<Tensor> inputs;
    for (const ValueId id : graph.inputs) {
      Dims dims;
      for (const Dim& dim : *graph.value(id).type.shape) dims.push_back(dim.value);
      auto tensor = Tensor::create(*graph.value(id).type.dtype, dims);
      ASSERT_TRUE(tensor.has_value());
      if (tensor->dtype() == DType::kFloat32) {
        for (float& value : tensor->mutable_data<float>()) value = static_cast<float>(rng.normal());
      } else {
        for (std::byte& byte : tensor->mutable_bytes()) byte = static_cast<std::byte>(rng.below(256));
      }
      inputs.push_back(std::move(*tensor));
    }
    const auto expected = evaluate(graph, inputs);
    const auto found = run_pieces(names_of(graph), names, inputs, [&](std::size_t piece, std::span<const Tensor> given) {
      return evaluate((*models)[piece].graph, given);
    });
    ASSERT_TRUE(expected.has_value()) << expected.error().message;
    ASSERT_TRUE(found.has_value()) << found.error().message;
    for (std::size_t i = 0; i < expected->size(); ++i) EXPECT_TRUE(same_bits((*expected)[i], (*found)[i])) << file << ", output " << i;
  }
}

}  // namespace
}  // namespace moru::model::targets
