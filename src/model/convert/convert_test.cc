// SPDX-License-Identifier: Apache-2.0
// What the golden files in tests/golden/convert do not show: bits, notes and refusals.
#include "model/convert/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "model/graph/text.h"
#include "model/ops/op.h"

namespace moru::model {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

Graph parse(std::string_view text) {
  auto graph = parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  return graph ? std::move(*graph) : Graph();
}

const Node* find(const Graph& graph, std::string_view op) {
  const auto it = std::ranges::find(graph.nodes(), op, &Node::op);
  return it == graph.nodes().end() ? nullptr : &*it;
}

constexpr std::string_view kQuantized = R"(graph "g" {
  input x: float32[1, 2]
  init s = float32[] {0.5}
  init z = int8[] {-3}
  init w = int8[3, 2] {1, 2, 3, -4, 5, 6}
  init sw = float32[3] {0.5, 0.25, 0.125}
  init zw = int8[3] {0, 0, 0}
  init b = int32[3] {100, -200, 300}
  init sb = float32[3] {0.25, 0.125, 0.0625}
  init so = float32[] {2.0}
  xq = QuantizeLinear(x, s, z)
  xd = DequantizeLinear(xq, s, z)
  wd = DequantizeLinear(w, sw, zw) {axis = 0}
  bd = DequantizeLinear(b, sb) {axis = 0}
  y = Gemm(xd, wd, bd) {transB = 1}
  yq = QuantizeLinear(y, so, z)
  yd = DequantizeLinear(yq, so, z)
  output yd
})";

TEST(ToTflite, QuantisedTensorsKeepTheirBits) {
  const auto there = to_tflite(parse(kQuantized), {.exact = true});
  ASSERT_TRUE(there.has_value()) << there.error().message;
  EXPECT_THAT(there->notes, IsEmpty());
  const Graph& graph = there->graph;
  const Node* product = find(graph, "FULLY_CONNECTED");
  ASSERT_NE(product, nullptr);
  ASSERT_EQ(product->inputs.size(), 3U);
  const Tensor* w = graph.initializer(product->inputs[1]);
  ASSERT_NE(w, nullptr);
  EXPECT_TRUE(same_bits(*w, Tensor::of<std::int8_t>({3, 2}, {1, 2, 3, -4, 5, 6})));
  EXPECT_EQ(graph.value(product->inputs[0]).type.quantization, (Quantization{{0.5F}, {-3}, 0}));
  EXPECT_EQ(graph.value(product->inputs[1]).type.quantization, (Quantization{{0.5F, 0.25F, 0.125F}, {0, 0, 0}, 0}));
  EXPECT_EQ(graph.value(product->inputs[2]).type.quantization, (Quantization{{0.25F, 0.125F, 0.0625F}, {0, 0, 0}, 0}));
  EXPECT_EQ(graph.value(product->outputs[0]).type.quantization, (Quantization{{2.0F}, {-3}, 0}));
  EXPECT_NE(find(graph, "QUANTIZE"), nullptr);
  EXPECT_NE(find(graph, "DEQUANTIZE"), nullptr);
}

TEST(ToOnnx, QuantisedTensorsComeBackAsThePairsTheyWere) {
  auto there = to_tflite(parse(kQuantized));
  ASSERT_TRUE(there.has_value()) << there.error().message;
  const auto back = to_onnx(there->graph);
  ASSERT_TRUE(back.has_value()) << back.error().message;
  const auto again = to_tflite(back->graph, {.exact = true});
  ASSERT_TRUE(again.has_value()) << again.error().message;
  const Node* first = find(there->graph, "FULLY_CONNECTED");
  const Node* second = find(again->graph, "FULLY_CONNECTED");
  ASSERT_NE(second, nullptr);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(there->graph.value(first->inputs[i]).type, again->graph.value(second->inputs[i]).type);
    if (i == 0) continue;
    EXPECT_TRUE(same_bits(*there->graph.initializer(first->inputs[i]), *again->graph.initializer(second->inputs[i])));
  }
  const std::vector<Tensor> inputs{Tensor::of<float>({1, 2}, {3.0F, -7.5F})};
  const auto expected = evaluate(parse(kQuantized), inputs);
  const auto found = evaluate(back->graph, inputs);
  ASSERT_TRUE(expected.has_value() && found.has_value());
  EXPECT_TRUE(same_bits((*expected)[0], (*found)[0]));
}

/// The text with asymmetric weights.
std::string asymmetric() {
  std::string text(kQuantized);
  text.replace(text.find("zw = int8[3] {0, 0, 0}"), 22, "zw = int8[3] {1, 0, 0}");
  return text;
}

TEST(ToTflite, AsymmetricWeightsAreRequantisedAndNoted) {
  const auto there = to_tflite(parse(asymmetric()));
  ASSERT_TRUE(there.has_value()) << there.error().message;
  ASSERT_FALSE(there->notes.empty());
  EXPECT_THAT(there->notes[0], HasSubstr("'w': asymmetric int8 weights"));
  const Node* product = find(there->graph, "FULLY_CONNECTED");
  ASSERT_NE(product, nullptr);
  // (1 - 1, 2 - 1) * 0.5: the largest is 0.5, which is 127 now.
  EXPECT_EQ(there->graph.value(product->inputs[1]).type.quantization->zero_points, (std::vector<std::int64_t>{0, 0, 0}));
  EXPECT_EQ(there->graph.initializer(product->inputs[1])->data<std::int8_t>()[1], 127);
}

TEST(ToTflite, ExactRefusesWhatWouldBeRequantised) {
  const auto there = to_tflite(parse(asymmetric()), {.exact = true});
  ASSERT_FALSE(there.has_value());
  EXPECT_EQ(there.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(there.error().message, HasSubstr("asymmetric int8 weights"));
}

TEST(ToTflite, AnOpWithoutCounterpartIsNamed) {
  const auto there = to_tflite(parse("graph \"g\" { input x: float32[1, 2, 3, 3, 3] y = GlobalAveragePool(x) z = Flatten(y) output z }"));
  EXPECT_TRUE(there.has_value());
  const auto back = to_onnx(parse("graph \"g\" { input x: float32[2] y: float32[2] = tflite::SVDF(x) as cell output y }"));
  ASSERT_FALSE(back.has_value());
  EXPECT_THAT(back.error().message, HasSubstr("node 0 (SVDF 'cell'): found an op without counterpart in ONNX"));
}

TEST(ToOnnx, AnOpenExtentHasANameFromInputToOutput) {
  const auto onnx = to_onnx(parse(R"(graph "g" {
  input x: float32[?, 2]
  init w = float32[3, 2] {1, 2, 3, 4, 5, 6}
  y: float32[?, 3] = tflite::FULLY_CONNECTED(x, w)
  output y
})"));
  ASSERT_TRUE(onnx.has_value()) << onnx.error().message;
  EXPECT_EQ(to_string(*onnx->graph.value(onnx->graph.inputs[0]).type.shape), "[x_0, 2]");
  EXPECT_EQ(to_string(*onnx->graph.value(onnx->graph.outputs[0]).type.shape), "[x_0, 3]");
}

}  // namespace
}  // namespace moru::model
