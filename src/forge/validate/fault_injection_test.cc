// SPDX-License-Identifier: Apache-2.0
#include "forge/validate/fault_injection.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "core/random.h"

namespace moru::forge {
namespace {

using model::Graph;
using model::Tensor;
using testing::HasSubstr;

/// y = Gemm(x, w), w [64, 64] normal; w is int8 behind a DequantizeLinear when `quantized`.
Graph linear(bool quantized) {
  Rng random(2);
  Graph graph;
  graph.name = "linear";
  const auto x = graph.add_value("x");
  graph.inputs = {x};
  model::ValueId w = model::kNoValue;
  if (quantized) {
    std::vector<std::int8_t> values(64 * 64);
    for (auto& value : values) value = static_cast<std::int8_t>(std::clamp(random.normal() * 20, -63.0, 63.0));
    const auto stored = graph.add_initializer("q", Tensor::of<std::int8_t>({64, 64}, values));
    const auto scale = graph.add_initializer("s", Tensor::scalar<float>(0.1F));
    w = graph.add_value("w");
    graph.nodes().push_back({.op = "DequantizeLinear", .inputs = {stored, scale}, .outputs = {w}});
  } else {
    std::vector<float> values(64 * 64);
    for (float& value : values) value = static_cast<float>(random.normal());
    w = graph.add_initializer("q", Tensor::of<float>({64, 64}, values));
  }
  const auto y = graph.add_value("y");
  graph.nodes().push_back({.op = "Gemm", .inputs = {x, w}, .outputs = {y}});
  graph.outputs = {y};
  return graph;
}

const Tensor& weights(const Graph& graph) { return *graph.initializer(*graph.find_value("q")); }

template <class T>
std::vector<T> sorted(const Tensor& tensor) {
  std::vector<T> values(tensor.data<T>().begin(), tensor.data<T>().end());
  std::ranges::sort(values);
  return values;
}

TEST(ShuffleWeights, MovesEveryValueAndLosesNone) {
  for (const bool quantized : {false, true}) {
    const Graph graph = linear(quantized);
    const auto a = shuffle_weights(graph, 1);
    const auto again = shuffle_weights(graph, 1);
    ASSERT_TRUE(a && again);
    EXPECT_FALSE(model::same_bits(weights(*a), weights(graph)));
    EXPECT_TRUE(model::same_bits(weights(*a), weights(*again)));
    if (quantized) {
      EXPECT_EQ(sorted<std::int8_t>(weights(*a)), sorted<std::int8_t>(weights(graph)));
    } else {
      EXPECT_EQ(sorted<float>(weights(*a)), sorted<float>(weights(graph)));
    }
  }
}

TEST(AddWeightNoise, HasTheStrengthAskedFor) {
  const Graph graph = linear(false);
  const auto noisy = add_weight_noise(graph, 0.5, 3);
  ASSERT_TRUE(noisy.has_value());
  double squares = 0;
  const auto a = weights(graph).data<float>();
  const auto b = weights(*noisy).data<float>();
  for (std::size_t i = 0; i < a.size(); ++i) squares += std::pow(static_cast<double>(a[i] - b[i]), 2);
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(a.size())), 0.5, 0.03);
  const auto none = add_weight_noise(graph, 0.0, 3);
  ASSERT_TRUE(none.has_value());
  EXPECT_TRUE(model::same_bits(weights(*none), weights(graph)));
}

TEST(AddWeightNoise, IntegersStayWithinTheirRange) {
  const auto noisy = add_weight_noise(linear(true), 3.0, 3);
  ASSERT_TRUE(noisy.has_value());
  for (const std::int8_t value : weights(*noisy).data<std::int8_t>()) EXPECT_LE(std::abs(value), 63);
}

/// An accuracy that falls with the distance from the original weights.
Result<double> made_up_accuracy(const Graph& original, const Graph& graph) {
  const auto a = weights(original).data<float>();
  const auto b = weights(graph).data<float>();
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) squares += std::pow(static_cast<double>(a[i] - b[i]), 2);
  return 0.9 - 0.2 * squares / static_cast<double>(a.size());
}

TEST(DegradeWeights, FindsTheDropAskedFor) {
  const Graph graph = linear(false);
  int calls = 0;
  const auto degraded = degrade_weights(graph, 5.0, 7, [&](const Graph& candidate) {
    ++calls;
    return made_up_accuracy(graph, candidate);
  });
  ASSERT_TRUE(degraded.has_value()) << degraded.error().message;
  EXPECT_NEAR(degraded->accuracy, 0.85, 0.003);
  EXPECT_NEAR(degraded->strength, 0.5, 0.05);
  EXPECT_LE(calls, 16);
  EXPECT_DOUBLE_EQ(*made_up_accuracy(graph, degraded->graph), degraded->accuracy);
}

TEST(DegradeWeights, SaysWhenNoNoiseIsEnough) {
  const auto degraded = degrade_weights(linear(false), 5.0, 7, [](const Graph&) -> Result<double> { return 0.9; });
  ASSERT_FALSE(degraded.has_value());
  EXPECT_THAT(degraded.error().message, HasSubstr("expected 5.0"));
}

TEST(FaultInjection, GraphWithoutWeightsIsRefused) {
  Graph graph;
  EXPECT_EQ(shuffle_weights(graph, 1).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace moru::forge
