// SPDX-License-Identifier: Apache-2.0
// What makes the networks of random_graph.h: a graph that grows by a layer, its shapes inferred as it does, and numbers from a seed.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "core/check.h"
#include "core/random.h"
#include "model/ops/verify.h"
#include "runtime/engine/random_graph.h"

namespace moru::runtime::engine {

using model::Dims;
using model::DType;
using model::Graph;
using model::Tensor;
using model::ValueId;

/// Adds a layer after `value`, whose shape it keeps up.
class Builder {
 public:
  explicit Builder(const Choices& choices) : rng_(choices.seed), bytes_(choices.bytes) {}

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(choose(static_cast<std::uint64_t>(high - low + 1)));
  }
  /// A number that decides of no shape: by the seed alone.
  std::int64_t number_between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool coin() { return choose(2) == 0; }
  float number() { return static_cast<float>(rng_.normal()); }

  ValueId constant(Tensor tensor) { return graph_.add_initializer(graph_.unused_name("c"), std::move(tensor)); }
  ValueId level(DType dtype, std::int64_t value) {
    return constant(dtype == DType::kInt8 ? Tensor::scalar(static_cast<std::int8_t>(value))
                                          : Tensor::scalar(static_cast<std::uint8_t>(value)));
  }
  ValueId scalar(float value) { return constant(Tensor::scalar(value)); }
  Tensor bytes(DType dtype, Dims dims) {
    Tensor tensor = Tensor::create(dtype, std::move(dims)).value();
    // Mostly the ends of the range now and then, where kernels saturate.
    const bool extreme = between(0, 3) == 0;
    for (std::byte& value : tensor.mutable_bytes()) {
      value = static_cast<std::byte>(extreme ? (rng_.below(2) == 0 ? 0x7F : 0x80) : rng_.below(256));
    }
    return tensor;
  }
  Tensor floats(Dims dims, float scale) {
    Tensor tensor = Tensor::create(DType::kFloat32, std::move(dims)).value();
    for (float& value : tensor.mutable_data<float>()) value = scale * number();
    return tensor;
  }

  ValueId node(std::string op, std::string domain, std::vector<ValueId> inputs, model::Attributes attributes = {}) {
    const ValueId y = graph_.add_value(graph_.unused_name("v"));
    graph_.nodes().push_back({"", std::move(op), std::move(domain), std::move(inputs), {y}, std::move(attributes)});
    MORU_CHECK(model::infer_shapes(graph_).has_value());
    return y;
  }
  /// A node of ONNX's own with several outputs.
  std::vector<ValueId> node_of(std::string op, std::vector<ValueId> inputs, std::size_t outputs, model::Attributes attributes) {
    std::vector<ValueId> made;
    for (std::size_t i = 0; i < outputs; ++i) made.push_back(graph_.add_value(graph_.unused_name("v")));
    graph_.nodes().push_back({"", std::move(op), "", std::move(inputs), made, std::move(attributes)});
    MORU_CHECK(model::infer_shapes(graph_).has_value());
    return made;
  }
  Dims dims(ValueId value) {
    Dims dims;
    for (const auto& dim : *graph_.value(value).type.shape) dims.push_back(dim.value);
    return dims;
  }
  DType dtype(ValueId value) { return *graph_.value(value).type.dtype; }

  ValueId input(Tensor tensor) {
    model::SymbolicShape shape;
    for (const std::int64_t extent : tensor.dims()) shape.push_back({extent, {}});
    const ValueId id = graph_.add_value(graph_.unused_name("x"), {tensor.dtype(), shape});
    graph_.inputs.push_back(id);
    inputs_.push_back(std::move(tensor));
    return id;
  }
  RandomNetwork finish(std::vector<ValueId> outputs) {
    graph_.name = "random";
    graph_.opset = 18;
    graph_.outputs = std::move(outputs);
    MORU_CHECK(model::verify(graph_).has_value());
    return {std::move(graph_), std::move(inputs_)};
  }

  /// Kernel, strides, dilations and pads of a window that fits the spatial axes of `x`.
  model::Attributes window(const Dims& x, bool dilated) {
    std::vector<std::int64_t> kernel;
    std::vector<std::int64_t> strides;
    std::vector<std::int64_t> dilations;
    std::vector<std::int64_t> before;
    std::vector<std::int64_t> after;
    for (std::size_t axis = 2; axis < x.size(); ++axis) {
      dilations.push_back(dilated && between(0, 3) == 0 ? 2 : 1);
      const std::int64_t most = std::min<std::int64_t>((x[axis] - 1) / dilations.back() + 1, 5);
      kernel.push_back(between(1, most));
      strides.push_back(between(1, 3));
      before.push_back(between(0, kernel.back() - 1));
      after.push_back(between(0, kernel.back() - 1));
    }
    before.insert(before.end(), after.begin(), after.end());
    return {{"kernel_shape", kernel}, {"strides", strides}, {"dilations", dilations}, {"pads", before}};
  }

 private:
  /// Below `bound`: by the next byte, while there are any.
  std::uint64_t choose(std::uint64_t bound) {
    if (bytes_.empty()) return rng_.below(bound);
    const std::uint64_t chosen = bytes_.front() % bound;
    bytes_ = bytes_.subspan(1);
    return chosen;
  }

  Rng rng_;
  std::span<const std::uint8_t> bytes_;
  Graph graph_;
  std::vector<Tensor> inputs_;
};

/// How many groups a convolution of so many channels has, and outputs a group.
struct Groups {
  std::int64_t count;
  std::int64_t outputs;
};
inline Groups groups_of(Builder& build, std::int64_t channels) {
  const std::int64_t kind = build.between(0, 2);
  if (kind == 0) return {channels, channels};  // depthwise
  if (kind == 1 && channels % 2 == 0) return {2, 2 * build.between(1, 9)};
  return {1, build.between(1, 70)};
}

}  // namespace moru::runtime::engine
