// SPDX-License-Identifier: Apache-2.0
// Real models, to the other format's words and back: they must compute the same.
#include "model/convert/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "core/random.h"
#include "model/formats/onnx/onnx.h"
#include "model/formats/tflite/tflite.h"
#include "model/ops/op.h"

namespace moru::model {
namespace {

struct Parity {
  double nmse = 0;         ///< the largest of any output
  std::int64_t agree = 0;  ///< rows of outputs whose largest element is at the same place
  std::int64_t rows = 0;
};

std::vector<Tensor> random_inputs(const Graph& graph, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<Tensor> inputs;
  for (const ValueId id : graph.inputs) {
    Dims dims;
    for (const Dim& dim : *graph.value(id).type.shape) dims.push_back(dim.known() ? dim.value : 1);
    auto tensor = Tensor::create(*graph.value(id).type.dtype, dims);
    EXPECT_TRUE(tensor.has_value());
    for (float& value : tensor->mutable_data<float>()) value = static_cast<float>(rng.normal());
    inputs.push_back(std::move(*tensor));
  }
  return inputs;
}

void compare(const Tensor& a, const Tensor& b, Parity& parity) {
  ASSERT_EQ(a.dims(), b.dims());
  const auto x = a.data<float>();
  const auto y = b.data<float>();
  double error = 0;
  double power = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double difference = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    error += difference * difference;
    power += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  parity.nmse = std::max(parity.nmse, error == 0 ? 0 : error / power);
  const auto width = static_cast<std::size_t>(a.dims().back());
  for (std::size_t at = 0; at + width <= x.size(); at += width) {
    const auto best_x = std::ranges::max_element(x.subspan(at, width)) - x.subspan(at, width).begin();
    const auto best_y = std::ranges::max_element(y.subspan(at, width)) - y.subspan(at, width).begin();
    parity.agree += best_x == best_y ? 1 : 0;
    ++parity.rows;
  }
}

std::int64_t count_op(const Graph& graph, std::string_view op) { return std::ranges::count(graph.nodes(), op, &Node::op); }

class ConvertModels : public testing::TestWithParam<const char*> {};

TEST_P(ConvertModels, ThereAndBackAgainComputeTheSame) {
  const char* folder = std::getenv("MORU_TEST_DATA");
  if (folder == nullptr) GTEST_SKIP() << "set MORU_TEST_DATA to a folder with models/*.onnx";
  const auto graph = load_onnx(Path(folder) / GetParam());
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  auto there = to_tflite(*graph);
  ASSERT_TRUE(there.has_value()) << there.error().message;
  EXPECT_THAT(there->notes, testing::IsEmpty());
  for (const Node& node : there->graph.nodes()) EXPECT_EQ(node.domain, "tflite") << node.op;
  // The graph's own input and outputs keep their layout; inside there is none.
  EXPECT_LE(count_op(there->graph, "TRANSPOSE"), static_cast<std::int64_t>(graph->inputs.size() + graph->outputs.size()));
  auto back = to_onnx(there->graph);
  ASSERT_TRUE(back.has_value()) << back.error().message;
  Parity parity;
  for (const std::uint64_t seed : {1U, 2U}) {
    const auto inputs = random_inputs(*graph, seed);
    const auto expected = evaluate(*graph, inputs);
    const auto found = evaluate(back->graph, inputs);
    ASSERT_TRUE(expected.has_value()) << expected.error().message;
    ASSERT_TRUE(found.has_value()) << found.error().message;
    ASSERT_EQ(expected->size(), found->size());
    for (std::size_t i = 0; i < expected->size(); ++i) compare((*expected)[i], (*found)[i], parity);
  }
  EXPECT_LE(parity.nmse, 1e-6);
  EXPECT_EQ(parity.agree, parity.rows);
}

INSTANTIATE_TEST_SUITE_P(Onnx, ConvertModels,
                         testing::Values("models/mnist.onnx", "models/pretrainedResnet.onnx", "models/Ultraface-RFB-320.onnx"));

TEST(ConvertModels, FloatInputsBesideInt8WeightsKeepTheirBits) {
  const char* folder = std::getenv("MORU_TEST_DATA");
  if (folder == nullptr) GTEST_SKIP() << "set MORU_TEST_DATA to a folder with mlperf_tiny/*.tflite";
  const auto graph = load_tflite(Path(folder) / "mlperf_tiny/kws_ref_model_float32.tflite");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  const auto there = to_onnx(*graph, {.exact = true});
  ASSERT_TRUE(there.has_value()) << there.error().message;
  const auto back = to_tflite(there->graph, {.exact = true});
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(back->graph.nodes().size(), graph->nodes().size());
  const auto inputs = random_inputs(*graph, 1);
  const auto expected = evaluate(*graph, inputs);
  ASSERT_TRUE(expected.has_value()) << expected.error().message;
  for (const Graph* other : {&there->graph, &back->graph}) {
    const auto found = evaluate(*other, inputs);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_TRUE(same_bits((*expected)[0], (*found)[0]));
  }
}

}  // namespace
}  // namespace moru::model
