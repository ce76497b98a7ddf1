// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/summary.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/graph/text.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

Graph parse(std::string_view text) {
  auto graph = parse_text(text);
  EXPECT_TRUE(graph.has_value()) << (graph ? "" : graph.error().message);
  return graph ? std::move(*graph) : Graph();
}

Graph bound(std::string_view text, const DimBinding& binding = {}) {
  auto graph = bind_dims(parse(text), binding);
  EXPECT_TRUE(graph.has_value()) << (graph ? "" : graph.error().message);
  return graph ? std::move(*graph) : Graph();
}

constexpr std::string_view kNet = R"(graph "net" {
  opset 13
  input x: float32[N, 1, 4, 4]
  init w = float32[2, 1, 3, 3] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}
  init g = float32[8, 3] {0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7}
  y = Conv(x, w) as conv1
  r = Relu(y)
  f = Flatten(r)
  z = Gemm(f, g)
  output z
})";

TEST(Summary, CountsOpsParametersAndMacs) {
  const Summary summary = summarise(bound(kNet));
  EXPECT_THAT(summary.ops, UnorderedElementsAre(Pair("Conv", 1), Pair("Relu", 1), Pair("Flatten", 1), Pair("Gemm", 1)));
  EXPECT_EQ(summary.nodes, 4);
  EXPECT_EQ(summary.all_parameters.count, 18 + 24);
  EXPECT_EQ(summary.parameters.at("float32").bytes, 4 * (18 + 24));
  EXPECT_EQ(summary.macs, 2 * 2 * 2 * 9 + 3 * 8);
  EXPECT_EQ(summary.nodes_without_macs, 0);
  EXPECT_EQ(summary.quantisation, "none");
}

TEST(Summary, ABatchMultiplies) {
  const Summary one = summarise(bound(kNet));
  const Summary many = summarise(bound(kNet, {.named = {{"N", 10}}}));
  EXPECT_EQ(many.macs, 10 * one.macs);
  EXPECT_EQ(many.activations.bytes, 10 * one.activations.bytes);
  EXPECT_EQ(summarise(bound(kNet, {.others = 10})).macs, many.macs);
}

TEST(Summary, SaysWhatItCannotCount) {
  auto graph = parse(kNet);
  ASSERT_TRUE(infer_shapes(graph).has_value());
  const Summary summary = summarise(graph);
  EXPECT_EQ(summary.nodes_without_macs, 2);
  EXPECT_EQ(summary.activations.unknown_values, 5);
}

TEST(Summary, GroupsAndTransposedProductsCount) {
  const Summary depthwise = summarise(bound(R"(graph "g" {
  input x: float32[1, 2, 1, 3]
  init w = float32[2, 1, 1, 3] {1, 1, 1, 0, 2, 0}
  y = Conv(x, w) {group = 2, pads = [0, 1, 0, 1]}
  output y
})"));
  EXPECT_EQ(depthwise.macs, 2 * 3 * 3);
  const Summary gemm = summarise(bound(R"(graph "g" {
  input a: float32[5, 2]
  input b: float32[3, 5]
  y = Gemm(a, b) {transA = 1, transB = 1}
  output y
})"));
  EXPECT_EQ(gemm.macs, 2 * 3 * 5);
  const Summary matmul = summarise(bound(R"(graph "g" {
  input a: float32[7, 2, 5]
  input b: float32[5, 3]
  y = MatMul(a, b)
  output y
})"));
  EXPECT_EQ(matmul.macs, 7 * 2 * 3 * 5);
}

TEST(Summary, HugeCountsEndAtTheLargestNumber) {
  // 2^57 each: the largest that the limit of a tensor's size leaves.
  std::string text = "graph \"g\" {\n  input a: float32[524288, 524288]\n";
  for (int i = 0; i < 80; ++i) text += fmt::format("  y{0} = MatMul(a, a)\n  output y{0}\n", i);
  EXPECT_EQ(summarise(bound(text + "}")).macs, std::numeric_limits<std::int64_t>::max());
}

TEST(Activations, PeakWhereMostIsAlive) {
  // x lives until the Add, since that uses it: x + a, x + a + b, x + b + y.
  const Summary summary = summarise(bound(R"(graph "g" {
  input x: float32[10]
  init w = float32[10] {0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
  a = Mul(x, w)
  b = Relu(a) as middle
  y = Add(x, b)
  output y
})"));
  EXPECT_EQ(summary.activations.bytes, 3 * 40);
  EXPECT_EQ(summary.activations.node, "node 1 (Relu 'middle')");
  EXPECT_EQ(summary.activations.unknown_values, 0);
}

TEST(Activations, OutputsLiveToTheEndAndUnusedOnesDieAtOnce) {
  const Summary summary = summarise(bound(R"(graph "g" {
  input x: int8[16]
  early = Relu(x)
  unused = Relu(x)
  b = Relu(x)
  y = Relu(b)
  output early
  output y
})"));
  EXPECT_EQ(summary.activations.bytes, 3 * 16);
}

TEST(Activations, AGraphWithoutNodesHasItsInputs) {
  const Summary summary = summarise(bound("graph \"g\" {\n  input x: int8[16]\n  output x\n}"));
  EXPECT_EQ(summary.activations.bytes, 16);
  EXPECT_EQ(summary.activations.node, "");
}

TEST(BindDims, NamesWhatThereIsToBind) {
  const auto wrong = bind_dims(parse(kNet), {.named = {{"M", 1}}});
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(wrong.error().message, HasSubstr("dimension 'M': found no input that has it, expected one of: N"));
  const auto small = bind_dims(parse("graph \"g\" {\n  input x: float32[1, 1, H, 4]\n  init w = float32[1, 1, 3, 3] {1, 2, 3, 4, 5, 6, 7, "
                                     "8, 9}\n  y = Conv(x, w)\n  output y\n}"),
                               {.named = {{"H", 2}}});
  ASSERT_FALSE(small.has_value());
  EXPECT_THAT(small.error().message, HasSubstr("node 0 (Conv)"));
}

TEST(Quantisation, IsToldFromTheOps) {
  const auto qdq = bound(R"(graph "g" {
  input x: float32[1, 4]
  init s = float32[] {0.5}
  init z = int8[] {0}
  q = QuantizeLinear(x, s, z)
  y = DequantizeLinear(q, s, z)
  output y
})");
  EXPECT_EQ(summarise(qdq).quantisation, "QDQ");
}

TEST(Quantisation, IsToldFromTheTypesOfTFLite) {
  Graph graph;
  const Quantization quantization{{0.5F}, {0}, 0};
  const auto x = graph.add_value("x", {DType::kInt8, SymbolicShape{{4, ""}}, quantization});
  const auto w = graph.add_initializer("w", Tensor::of<std::int8_t>({1}, {1}));
  EXPECT_EQ(summarise(graph).quantisation, "int8");
  graph.set_type(x, {DType::kUInt8, SymbolicShape{{4, ""}}, quantization});
  EXPECT_EQ(summarise(graph).quantisation, "uint8");
  graph.set_type(w, {DType::kInt8, SymbolicShape{{1, ""}}, quantization});
  graph.set_type(x, {DType::kInt16, SymbolicShape{{4, ""}}, quantization});
  EXPECT_EQ(summarise(graph).quantisation, "int16x8");
  graph.set_type(x, {DType::kFloat32, SymbolicShape{{4, ""}}});
  EXPECT_EQ(summarise(graph).quantisation, "dynamic");
}

}  // namespace
}  // namespace moru::model
