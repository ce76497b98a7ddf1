// SPDX-License-Identifier: Apache-2.0
// What quantize() makes, op by op: the integer arithmetic of docs/arithmetic.md (the reference backend) beside ONNX Runtime's.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "forge/compress/quantize.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"
#include "model/passes/pass.h"
#include "runtime/backends/backend.h"

namespace moru::forge {
namespace {

using model::DType;
using model::Graph;
using model::Tensor;

struct Case {
  const char* name;
  const char* body;      ///< from x, which is float32[1, 4, 6, 6], to r
  const char* fused_to;  ///< the op on integers
};

constexpr Case kCases[] = {
    {"conv", "r = Conv(x, w, b) {pads = [1, 1, 1, 1]}", "QConv"},
    {"strided conv and relu", "c = Conv(x, w, b) {strides = [2, 2]}\nr = Relu(c)", "QConv"},
    {"depthwise conv", "r = Conv(x, dw) {group = 4, pads = [1, 1, 1, 1]}", "QConv"},
    {"gemm", "f = Flatten(x)\nr = Gemm(f, gw, gb) {transB = 1}", "QMatMul"},
    {"add", "p = MaxPool(x) {kernel_shape = [3, 3], pads = [1, 1, 1, 1]}\nr = Add(x, p)", "QAdd"},
    {"average", "r = GlobalAveragePool(x)", "QAveragePool"},
    {"max", "r = MaxPool(x) {kernel_shape = [2, 2], strides = [2, 2]}", "MaxPool"},
};

Tensor normal(model::Dims dims, double deviation, Rng& random) {
  auto tensor = Tensor::create(DType::kFloat32, std::move(dims));
  for (float& x : tensor->mutable_data<float>()) x = static_cast<float>(random.normal() * deviation);
  return *tensor;
}

/// quantize() of the body, a Flatten behind it so that r is rounded too.
Graph quantized(const Case& one, Rng& random) {
  auto graph = model::parse_text(fmt::format(R"(graph "one op" {{
    opset 13
    input x: float32[1, 4, 6, 6]
    init w = float32[1] {{0}}
    init b = float32[1] {{0}}
    init dw = float32[1] {{0}}
    init gw = float32[1] {{0}}
    init gb = float32[1] {{0}}
    {}
    y = Flatten(r)
    output y
  }})",
                                             one.body));
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  const auto set = [&](const char* name, model::Dims dims, double deviation) {
    graph->set_initializer(*graph->find_value(name), normal(std::move(dims), deviation, random));
  };
  set("w", {5, 4, 3, 3}, 0.3);
  set("b", {5}, 0.5);
  set("dw", {4, 1, 3, 3}, 0.4);
  set("gw", {7, 144}, 0.1);
  set("gb", {7}, 0.5);
  graph->remove_unused();
  Ranges ranges;
  for (const auto& name : values_to_quantize(*graph)) ranges[name] = {-2.5F, 3.0F};
  auto made = quantize(*graph, ranges);
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return std::move(*made);
}

bool has_op(const Graph& graph, std::string_view op) {
  return std::ranges::any_of(graph.nodes(), [&](const model::Node& node) { return node.op == op; });
}

std::vector<float> run(std::string_view backend, const std::string& onnx, const Tensor& x) {
  auto session = runtime::load_session(backend, onnx);
  EXPECT_TRUE(session.has_value()) << session.error().message;
  const auto outputs = (*session)->run_once(std::span(&x, 1));
  EXPECT_TRUE(outputs.has_value()) << outputs.error().message;
  return {outputs->front().data<float>().begin(), outputs->front().data<float>().end()};
}

TEST(QuantizedArithmetic, EachOpIsWithinOneStepOfOnnxRuntime) {
  Rng random(11);
  const float step = affine_scale({-2.5F, 3.0F}).scale;
  for (const Case& one : kCases) {
    SCOPED_TRACE(one.name);
    Graph graph = quantized(one, random);
    const auto onnx = model::write_onnx(graph);
    ASSERT_TRUE(onnx.has_value()) << onnx.error().message;
    const std::string passes[] = {"fuse_qdq"};
    ASSERT_TRUE(model::run_passes(graph, passes).has_value());
    EXPECT_TRUE(has_op(graph, one.fused_to));
    EXPECT_FALSE(has_op(graph, "Conv") || has_op(graph, "Gemm") || has_op(graph, "Add"));
    int differing = 0;
    int count = 0;
    for (int round = 0; round < 20; ++round) {
      const Tensor x = normal({1, 4, 6, 6}, 1.0, random);
      const auto ours = run("reference", *onnx, x);
      const auto theirs = run("onnxruntime", *onnx, x);
      ASSERT_EQ(ours.size(), theirs.size());
      for (std::size_t i = 0; i < ours.size(); ++i, ++count) {
        const float steps = std::abs(ours[i] - theirs[i]) / step;
        EXPECT_LT(steps, 1.01F) << "element " << i << ": found " << ours[i] << ", expected " << theirs[i];
        differing += steps > 0.5F ? 1 : 0;
      }
    }
    // Only ties and roundings of the factor differ.
    EXPECT_LE(differing * 100, count) << "found " << differing << " of " << count << " that differ by a step, expected one in a hundred";
  }
}

}  // namespace
}  // namespace moru::forge
