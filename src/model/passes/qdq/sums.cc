// SPDX-License-Identifier: Apache-2.0
// Sums of products, and averages: Conv, Gemm, MatMul, AveragePool, GlobalAveragePool.
#include <algorithm>
#include <cmath>
#include <limits>

#include "model/ops/support/integers.h"
#include "model/ops/support/loops.h"
#include "model/passes/qdq/group.h"

namespace moru::model::qdq {
namespace {

constexpr std::int64_t kMaxSum = std::numeric_limits<std::int32_t>::max();

/// What a sum of products needs beside its data.
struct Sum {
  std::vector<float> factors;
  std::vector<std::int32_t> bias;  ///< empty: 0
};

/// Weights seen as [blocks, channels, inner]: the sum over a channel of |level - zero|.
std::vector<std::int64_t> weight_reach(const Weights& weights, std::size_t axis) {
  const auto channels = static_cast<std::size_t>(weights.levels.dims()[axis]);
  const auto inner = static_cast<std::size_t>(ops::product_of(std::span(weights.levels.dims()).subspan(axis + 1)));
  std::vector<std::int64_t> reach(channels, 0);
  const auto add = [&](const auto levels) {
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const std::size_t channel = i / inner % channels;
      reach[channel] += std::abs(std::int64_t{levels[i]} - weights.zero(channel));
    }
  };
  if (weights.levels.dtype() == DType::kInt8) {
    add(weights.levels.data<std::int8_t>());
  } else {
    add(weights.levels.data<std::uint8_t>());
  }
  return reach;
}

/// Factors and bias of each channel; nothing when a sum might leave int32 or a factor float32.
std::optional<Sum> plan_sum(const Context& context, const Target& target, const Levels& x, const Weights& weights, std::size_t axis,
                            ValueId bias) {
  Sum sum;
  const auto reach = weight_reach(weights, axis);
  std::vector<double> steps;
  for (std::size_t c = 0; c < reach.size(); ++c) {
    steps.push_back(static_cast<double>(x.scale) * static_cast<double>(weights.scale(c)));
    sum.factors.push_back(ops::requantize_factor(x.scale, weights.scale(c), target.to.scale));
    if (!std::isfinite(sum.factors.back())) return std::nullopt;
  }
  if (bias != kNoValue) {
    auto rounded = context.bias_behind(bias, steps);
    if (!rounded) return std::nullopt;
    sum.bias = std::move(*rounded);
  }
  for (std::size_t c = 0; c < reach.size(); ++c) {
    const std::int64_t start = sum.bias.empty() ? 0 : std::abs(std::int64_t{sum.bias[c]});
    if (reach[c] > (kMaxSum - start) / x.reach()) return std::nullopt;
  }
  // One factor for all where all are equal.
  if (weights.scales.size() == 1) sum.factors.resize(1);
  return sum;
}

std::vector<ValueId> sum_inputs(const Context& context, const Target& target, const Levels& x, ValueId w, ValueId w_zero, const Sum& sum) {
  const Dims dims = sum.factors.size() == 1 ? Dims{} : Dims{std::ssize(sum.factors)};
  const ValueId factor = context.constant(target, "factor", Tensor::of<float>(dims, sum.factors));
  std::vector<ValueId> inputs{x.levels, context.zero_of(x), w, w_zero, factor, context.zero_of(target.to)};
  if (!sum.bias.empty()) inputs.push_back(context.constant(target, "bias", Tensor::of<std::int32_t>({std::ssize(sum.bias)}, sum.bias)));
  return inputs;
}

std::vector<Node> fuse_conv(const Context& context, const Target& target, const Node& conv) {
  const auto x = context.levels_behind(conv.inputs[0]);
  const auto weights = context.weights_behind(conv.inputs[1], 0);
  if (!x || !weights) return {};
  const auto sum = plan_sum(context, target, *x, *weights, 0, conv.inputs.size() > 2 ? conv.inputs[2] : kNoValue);
  if (!sum) return {};
  Node node = make_node("QConv", target, sum_inputs(context, target, *x, weights->value, context.zero_of(*weights), *sum));
  for (const auto& [name, attribute] : conv.attributes) node.attributes.emplace(name, attribute);
  node.name = conv.name;
  return {std::move(node)};
}

/// [N, K] as [K, N].
Tensor transposed(const Tensor& tensor) {
  Tensor turned = tensor.clone().reshaped({tensor.dims()[1], tensor.dims()[0]});
  const auto rows = static_cast<std::size_t>(tensor.dims()[0]);
  const auto columns = static_cast<std::size_t>(tensor.dims()[1]);
  const auto to = turned.mutable_bytes();
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) to[j * rows + i] = tensor.bytes()[i * columns + j];
  }
  return turned;
}

/// Gemm is a MatMul with a bias where its options say nothing else.
std::vector<Node> fuse_product(const Context& context, const Target& target, const Node& product) {
  const auto trans_a = int_attribute(product, "transA", 0);
  const auto trans_b = int_attribute(product, "transB", 0);
  const auto alpha = float_attribute(product, "alpha", 1);
  const auto beta = float_attribute(product, "beta", 1);
  if (!trans_a || !trans_b || !alpha || !beta || *trans_a != 0 || *alpha != 1.0F || *beta != 1.0F) return {};
  const std::size_t axis = *trans_b != 0 ? 0 : 1;
  const auto x = context.levels_behind(product.inputs[0]);
  auto weights = context.weights_behind(product.inputs[1], axis);
  if (!x || !weights || weights->levels.rank() != 2) return {};
  const auto sum = plan_sum(context, target, *x, *weights, axis, product.inputs.size() > 2 ? product.inputs[2] : kNoValue);
  if (!sum) return {};
  const ValueId zero = context.zero_of(*weights);
  if (axis == 0) weights->value = context.constant(target, "weights", transposed(weights->levels));
  Node node = make_node("QMatMul", target, sum_inputs(context, target, *x, weights->value, zero, *sum));
  node.name = product.name;
  return {std::move(node)};
}

/// The product of two activations, whose depth is known.
std::vector<Node> fuse_activations(const Context& context, const Target& target, const Node& product) {
  const auto a = context.levels_behind(product.inputs[0]);
  const auto b = context.levels_behind(product.inputs[1]);
  if (!a || !b) return {};
  const auto& shape = context.graph().value(product.inputs[0]).type.shape;
  if (!shape || shape->empty() || !shape->back().known() || shape->back().value > kMaxSum / (a->reach() * b->reach())) return {};
  const float factor = ops::requantize_factor(a->scale, b->scale, target.to.scale);
  if (!std::isfinite(factor)) return {};
  Node node = make_node("QMatMul", target,
                        {a->levels, context.zero_of(*a), b->levels, context.zero_of(*b),
                         context.constant(target, "factor", Tensor::scalar(factor)), context.zero_of(target.to)});
  node.name = product.name;
  return {std::move(node)};
}

}  // namespace

std::vector<Node> fuse_sum(const Context& context, const Target& target) {
  const Node* node = context.producer(target.from);
  if (node == nullptr || !context.has_one_use(target.from)) return {};
  if (node->op == "Conv") return fuse_conv(context, target, *node);
  if (node->op != "Gemm" && node->op != "MatMul") return {};
  auto made = fuse_product(context, target, *node);
  return made.empty() && node->op == "MatMul" ? fuse_activations(context, target, *node) : made;
}

std::vector<Node> fuse_pool(const Context& context, const Target& target) {
  const Node* pool = context.producer(target.from);
  if (pool == nullptr || !context.has_one_use(target.from) || (pool->op != "AveragePool" && pool->op != "GlobalAveragePool")) return {};
  const auto x = context.levels_behind(pool->inputs[0]);
  if (!x) return {};
  // No sum may leave int32, so the extents of a whole plane must be known.
  std::int64_t count = 1;
  const auto grow = [&](std::int64_t extent) { count = extent < 1 || count > kMaxSum / extent ? kMaxSum : count * extent; };
  if (pool->op == "AveragePool") {
    const auto kernel = ints_attribute(*pool, "kernel_shape", {});
    if (!kernel) return {};
    for (const std::int64_t extent : *kernel) grow(extent);
  } else {
    const auto& shape = context.graph().value(pool->inputs[0]).type.shape;
    if (!shape || shape->size() < 3) return {};
    for (std::size_t i = 2; i < shape->size(); ++i) grow((*shape)[i].value);
  }
  if (count > kMaxSum / 255) return {};
  Node node = make_node("QAveragePool", target,
                        {x->levels, context.zero_of(*x), context.constant(target, "x_scale", Tensor::scalar(x->scale)),
                         context.constant(target, "y_scale", Tensor::scalar(target.to.scale)), context.zero_of(target.to)});
  for (const auto& [name, attribute] : pool->attributes) node.attributes.emplace(name, attribute);
  node.name = pool->name;
  return {std::move(node)};
}

}  // namespace moru::model::qdq
