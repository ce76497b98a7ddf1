// SPDX-License-Identifier: Apache-2.0
// Float inputs beside int8 weights: the same bits in ONNX's words, and the same layer again in TFLite's.
#include "model/convert/support/hybrid.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "core/random.h"
#include "model/convert/convert.h"
#include "model/graph/text.h"
#include "model/ops/op.h"

namespace moru::model {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

struct Layer {
  const char* name;
  const char* op;
  Dims x;
  Dims weights;
  Dims y;
  std::int64_t channels;
  std::int64_t axis;  ///< of the scales; below 0: one scale
  bool has_bias;
  const char* attributes;
};

std::string dims_text(const Dims& dims) { return fmt::format("{}", fmt::join(dims, ", ")); }

std::int64_t count_of(const Dims& dims) {
  std::int64_t count = 1;
  for (const std::int64_t extent : dims) count *= extent;
  return count;
}

std::string int8s(std::int64_t count, Rng& rng) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<std::int64_t>(rng.below(255)) - 127);
  return fmt::format("{}", fmt::join(values, ", "));
}

std::string floats(std::int64_t count, Rng& rng, bool above_zero) {
  std::vector<std::string> values;
  for (std::int64_t i = 0; i < count; ++i) {
    const double value = rng.normal();
    values.push_back(fmt::format("{:.4f}", above_zero ? std::abs(value) / 50 + 0.001 : value));
  }
  return fmt::format("{}", fmt::join(values, ", "));
}

Graph parse(std::string_view text) {
  auto graph = parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  return graph ? std::move(*graph) : Graph();
}

Graph graph_of(const Layer& layer) {
  Rng rng(7);
  const std::int64_t scales = layer.axis < 0 ? 1 : layer.channels;
  const std::vector<int> zeros(static_cast<std::size_t>(scales), 0);
  const std::string steps = floats(scales, rng, true);
  const std::string weights = int8s(count_of(layer.weights), rng);
  const std::string bias = fmt::format("init b = float32[{}] {{{}}}", layer.channels, floats(layer.channels, rng, false));
  return parse(fmt::format(R"(graph "hybrid" {{
  input x: float32[{0}]
  init w: int8[{1}] quant {{scales = [{2}], zero_points = [{3}], axis = {4}}} = int8[{1}] {{{5}}}
  {6}
  y: float32[{7}] = tflite::{8}(x, w, {9}) {{{10}}}
  output y
}})",
                           dims_text(layer.x), dims_text(layer.weights), steps, fmt::join(zeros, ", "),
                           std::max<std::int64_t>(layer.axis, 0), weights, layer.has_bias ? bias : "", dims_text(layer.y), layer.op,
                           layer.has_bias ? "b" : "_", layer.attributes));
}

/// Rows of other ranges, one of zeros.
Tensor rows_of(const Dims& dims) {
  Rng rng(3);
  std::vector<float> values(static_cast<std::size_t>(count_of(dims)));
  const std::size_t row = values.size() / static_cast<std::size_t>(dims[0]);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t n = i / row;
    values[i] = n == 1 ? 0.0F : static_cast<float>(rng.normal() * static_cast<double>(1 + n));
  }
  return Tensor::of<float>(dims, values);
}

const Node* find(const Graph& graph, std::string_view op) {
  const auto it = std::ranges::find(graph.nodes(), op, &Node::op);
  return it == graph.nodes().end() ? nullptr : &*it;
}

void expect_same_bits(const Graph& a, const Graph& b, const Tensor& x) {
  const auto expected = evaluate(a, std::span(&x, 1));
  const auto found = evaluate(b, std::span(&x, 1));
  ASSERT_TRUE(expected.has_value()) << expected.error().message;
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_TRUE(same_bits((*expected)[0], (*found)[0]));
}

constexpr const char* kSame = R"(padding = "SAME", stride_h = 2, stride_w = 1, fused_activation_function = "RELU")";
constexpr const char* kValid = R"(padding = "VALID", stride_h = 1, stride_w = 1, dilation_h_factor = 2)";
constexpr const char* kDepth = R"(padding = "SAME", stride_h = 1, stride_w = 1, depth_multiplier = 2)";
const Layer kLayers[] = {
    {"OneScale", "CONV_2D", {3, 5, 4, 2}, {3, 3, 3, 2}, {3, 3, 4, 3}, 3, -1, true, kSame},
    {"ScaleAChannel", "CONV_2D", {3, 5, 4, 2}, {3, 3, 3, 2}, {3, 3, 4, 3}, 3, 0, true, kSame},
    {"WithoutBias", "CONV_2D", {3, 5, 4, 2}, {3, 2, 3, 2}, {3, 3, 2, 3}, 3, 0, false, kValid},
    {"Groups", "CONV_2D", {3, 5, 4, 4}, {6, 2, 3, 2}, {3, 3, 2, 6}, 6, -1, true, kValid},
    {"DepthwiseOneScale", "DEPTHWISE_CONV_2D", {3, 5, 4, 2}, {1, 3, 3, 4}, {3, 5, 4, 4}, 4, -1, true, kDepth},
    {"DepthwiseScaleAChannel", "DEPTHWISE_CONV_2D", {3, 5, 4, 2}, {1, 3, 3, 4}, {3, 5, 4, 4}, 4, 3, true, kDepth},
    {"Dense", "FULLY_CONNECTED", {3, 7}, {4, 7}, {3, 4}, 4, -1, true, R"(fused_activation_function = "RELU6")"},
    {"DenseScaleAChannel", "FULLY_CONNECTED", {3, 7}, {4, 7}, {3, 4}, 4, 0, false, ""},
    {"DenseAsymmetric", "FULLY_CONNECTED", {3, 7}, {4, 7}, {3, 4}, 4, 0, true, "asymmetric_quantize_inputs = 1"},
    {"DenseOfThreeAxes", "FULLY_CONNECTED", {3, 2, 7}, {4, 7}, {3, 2, 4}, 4, -1, true, "keep_num_dims = 1"},
};

class HybridLayers : public testing::TestWithParam<Layer> {};

TEST_P(HybridLayers, HaveTheSameBitsInOnnx) {
  const Graph graph = graph_of(GetParam());
  const auto onnx = to_onnx(graph, {.exact = true});
  ASSERT_TRUE(onnx.has_value()) << onnx.error().message;
  EXPECT_THAT(onnx->notes, IsEmpty());
  expect_same_bits(graph, onnx->graph, rows_of(GetParam().x));
}

TEST_P(HybridLayers, ComeBackAsTheLayersTheyWere) {
  const Graph graph = graph_of(GetParam());
  auto onnx = to_onnx(graph);
  ASSERT_TRUE(onnx.has_value()) << onnx.error().message;
  const auto back = to_tflite(std::move(onnx->graph), {.exact = true});
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_THAT(back->notes, IsEmpty());
  const Node* before = find(graph, GetParam().op);
  const Node* after = find(back->graph, GetParam().op);
  ASSERT_NE(after, nullptr);
  EXPECT_EQ(find(back->graph, "ABS"), nullptr);
  EXPECT_TRUE(same_bits(*graph.initializer(before->inputs[1]), *back->graph.initializer(after->inputs[1])));
  EXPECT_EQ(graph.value(before->inputs[1]).type, back->graph.value(after->inputs[1]).type);
  expect_same_bits(graph, back->graph, rows_of(GetParam().x));
}

TEST_P(HybridLayers, AreOneNodeOfOurOwnWhereTheyAreSymmetricConvolutions) {
  const auto onnx = to_onnx(graph_of(GetParam()));
  ASSERT_TRUE(onnx.has_value()) << onnx.error().message;
  Graph fused = onnx->graph;
  convert::fuse_hybrid_convolutions(fused);
  const bool expected = GetParam().name == std::string_view("OneScale");
  EXPECT_EQ(find(fused, "HybridConv") != nullptr, expected);
  EXPECT_EQ(find(fused, "Floor") == nullptr, expected);
  expect_same_bits(onnx->graph, fused, rows_of(GetParam().x));
}

INSTANTIATE_TEST_SUITE_P(Convert, HybridLayers, testing::ValuesIn(kLayers),
                         [](const auto& param) { return std::string(param.param.name); });

/// y = the levels of a row of eight, times their step.
Graph levels_of_eight(std::string_view attributes) {
  std::vector<int> identity(64, 0);
  for (std::size_t i = 0; i < 8; ++i) identity[9 * i] = 1;
  return parse(fmt::format(R"(graph "levels" {{
  input x: float32[1, 8]
  init w: int8[8, 8] quant {{scales = [1.0], zero_points = [0], axis = 0}} = int8[8, 8] {{{}}}
  y: float32[1, 8] = tflite::FULLY_CONNECTED(x, w, _) {{{}}}
  output y
}})",
                           fmt::join(identity, ", "), attributes));
}

TEST(Hybrid, HalvesAreRoundedAwayFromZero) {
  const Graph graph = levels_of_eight("");
  // The last is the float before one half, which floor(x + 0.5) would make 1.
  const Tensor x = Tensor::of<float>({1, 8}, {127, 0.5F, -0.5F, 1.5F, -1.5F, 2.5F, -126.5F, 0x1.fffffep-2F});
  const auto onnx = to_onnx(graph);
  ASSERT_TRUE(onnx.has_value()) << onnx.error().message;
  const auto y = evaluate(onnx->graph, std::span(&x, 1));
  ASSERT_TRUE(y.has_value()) << y.error().message;
  EXPECT_TRUE(same_bits((*y)[0], Tensor::of<float>({1, 8}, {127, 1, -1, 2, -2, 3, -127, 0})));
  expect_same_bits(graph, onnx->graph, x);
}

TEST(Hybrid, AsymmetricRowsHaveTheSameZeroPoint) {
  const Graph graph = levels_of_eight("asymmetric_quantize_inputs = 1");
  const auto onnx = to_onnx(graph);
  ASSERT_TRUE(onnx.has_value()) << onnx.error().message;
  const std::vector<float> rows[] = {
      {-1, 1, 0.5F, -0.5F, 0.25F, 0, 0.1F, -0.1F},         // a zero point of -0.5, which is rounded away from 0
      {3, 1, 2, 0.5F, 2.9F, 1, 1, 1},                      // 0 is inside of the range
      {-3, -1, -2, -0.5F, -2.9F, -1, -1, -1},              //
      {-1, 254, 0.5F, -0.5F, 1, 0, 0.1F, -0.1F},           // both ends ask for the same zero point
      {1e-3F, 12345.678F, -0.1F, 0.3F, 7, 8, 9, -1e-20F},  //
  };
  for (const auto& row : rows) expect_same_bits(graph, onnx->graph, Tensor::of<float>({1, 8}, row));
}

TEST(Hybrid, ALayerThatTfliteWouldRoundInAnotherWayStaysAsItIs) {
  // One channel a group and one scale: symmetric here, but asymmetric as the DEPTHWISE_CONV_2D that it would become.
  const Layer layer{"Groups", "CONV_2D", {3, 5, 4, 2}, {2, 2, 3, 1}, {3, 3, 2, 2}, 2, -1, true, kValid};
  const Graph graph = graph_of(layer);
  auto onnx = to_onnx(graph);
  ASSERT_TRUE(onnx.has_value()) << onnx.error().message;
  const auto back = to_tflite(std::move(onnx->graph));
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_NE(find(back->graph, "REDUCE_MAX"), nullptr);
  expect_same_bits(graph, back->graph, rows_of(layer.x));
}

TEST(Hybrid, DepthwiseOverOneChannelComesBackAsAConvolutionWithAScaleAChannel) {
  // A CONV_2D with one scale would be symmetric.
  const Layer layer{"One", "DEPTHWISE_CONV_2D", {3, 5, 4, 1}, {1, 2, 3, 3}, {3, 3, 2, 3}, 3, -1, true, kValid};
  const Graph graph = graph_of(layer);
  auto onnx = to_onnx(graph);
  ASSERT_TRUE(onnx.has_value()) << onnx.error().message;
  const auto back = to_tflite(std::move(onnx->graph), {.exact = true});
  ASSERT_TRUE(back.has_value()) << back.error().message;
  const Node* convolution = find(back->graph, "CONV_2D");
  ASSERT_NE(convolution, nullptr);
  EXPECT_EQ(back->graph.value(convolution->inputs[1]).type.quantization->scales.size(), 3U);
  expect_same_bits(graph, back->graph, rows_of(layer.x));
}

TEST(Hybrid, ALayerBetweenQuantisedOnesKeepsItsFloats) {
  const Graph graph = parse(R"(graph "between" {
  input x: int8[2, 3] quant {scales = [0.1], zero_points = [4], axis = 0}
  init w: int8[2, 3] quant {scales = [0.5], zero_points = [0], axis = 0} = int8[2, 3] {1, 2, 3, -4, 5, 6}
  a: float32[2, 3] = tflite::DEQUANTIZE(x)
  b: float32[2, 2] = tflite::FULLY_CONNECTED(a, w, _)
  y: int8[2, 2] quant {scales = [0.25], zero_points = [-1], axis = 0} = tflite::QUANTIZE(b)
  output y
})");
  auto onnx = to_onnx(graph);
  ASSERT_TRUE(onnx.has_value()) << onnx.error().message;
  const Tensor x = Tensor::of<std::int8_t>({2, 3}, {100, -7, 33, 4, 3, -128});
  expect_same_bits(graph, onnx->graph, x);
  const auto back = to_tflite(std::move(onnx->graph));
  ASSERT_TRUE(back.has_value()) << back.error().message;
  const Node* dense = find(back->graph, "FULLY_CONNECTED");
  ASSERT_NE(dense, nullptr);
  EXPECT_EQ(back->graph.value(dense->inputs[0]).type.dtype, DType::kFloat32);
  expect_same_bits(graph, back->graph, x);
}

TEST(Hybrid, LargeWeightsComeBackTooThoughTheirCastIsNotFolded) {
  const Layer layer{"Large", "FULLY_CONNECTED", {1, 1024}, {512, 1024}, {1, 512}, 512, 0, false, ""};
  const Graph graph = graph_of(layer);
  auto onnx = to_onnx(graph);
  ASSERT_TRUE(onnx.has_value()) << onnx.error().message;
  const auto back = to_tflite(std::move(onnx->graph));
  ASSERT_TRUE(back.has_value()) << back.error().message;
  ASSERT_EQ(back->graph.nodes().size(), 1U);
  EXPECT_EQ(back->graph.value(back->graph.nodes()[0].inputs[1]).type.dtype, DType::kInt8);
}

TEST(Hybrid, WhatHasNoDefinedRoundingIsRefused) {
  constexpr std::string_view kCases[][2] = {
      {R"(input w: int8[3, 2] quant {scales = [0.5], zero_points = [0], axis = 0}
  y: float32[1, 3] = tflite::FULLY_CONNECTED(x, w, _))",
       "neither float32 nor int8 constants"},
      {R"(init w: uint8[3, 2] quant {scales = [0.5], zero_points = [0], axis = 0} = uint8[3, 2] {1, 2, 3, 4, 5, 6}
  y: float32[1, 3] = tflite::FULLY_CONNECTED(x, w, _))",
       "neither float32 nor int8 constants"},
      {R"(init w: int8[3, 2] quant {scales = [0.5, 0.25], zero_points = [0, 0], axis = 1} = int8[3, 2] {1, 2, 3, 4, 5, 6}
  y: float32[1, 3] = tflite::FULLY_CONNECTED(x, w, _))",
       "found 2 scales on axis 1 of the weights, expected one, or 3 on axis 0"},
      {R"(init w: int8[3, 2] quant {scales = [0.5], zero_points = [0], axis = 0} = int8[3, 2] {1, 2, 3, 4, 5, 6}
  init b = float32[2] {1, 2}
  y: float32[1, 3] = tflite::FULLY_CONNECTED(x, w, b))",
       "expected float32[3]"},
      {R"(init w: int8[2, 3] quant {scales = [0.5], zero_points = [0], axis = 0} = int8[2, 3] {1, 2, 3, 4, 5, 6}
  y: float32[1, 3] = tflite::BATCH_MATMUL(x, w))",
       "found a matrix of 8 bits beside float inputs"},
  };
  for (const auto& [text, message] : kCases) {
    const auto onnx = to_onnx(parse(fmt::format("graph \"refused\" {{\n  input x: float32[1, 2]\n  {}\n  output y\n}}", text)));
    ASSERT_FALSE(onnx.has_value()) << text;
    EXPECT_EQ(onnx.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(onnx.error().message, HasSubstr(message));
  }
}

}  // namespace
}  // namespace moru::model
