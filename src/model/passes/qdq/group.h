// SPDX-License-Identifier: Apache-2.0
// What fuse_qdq sees of a graph: values that DequantizeLinear makes of levels, and the QuantizeLinear that ends a group.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "model/graph/graph.h"

namespace moru::model::qdq {

/// Reals that are (levels - zero) * scale, one scale for all; levels are int8 or uint8.
struct Levels {
  ValueId levels = kNoValue;
  DType dtype = DType::kUInt8;
  float scale = 1;
  std::int32_t zero = 0;
  ValueId zero_value = kNoValue;  ///< kNoValue: left out, 0
  std::int32_t least() const { return dtype == DType::kInt8 ? -128 : 0; }
  /// The largest |level - zero|.
  std::int64_t reach() const;
};

/// What a group must give: a QuantizeLinear, and the bounds that a Relu or Clip in front of it puts on the levels.
struct Target {
  Levels to;  ///< `levels` is the output
  std::int32_t low = 0;
  std::int32_t high = 0;
  ValueId from = kNoValue;  ///< the reals, in front of the bounds
  bool is_bounded() const { return low != to.least() || high != to.least() + 255; }
  /// The level that a real becomes.
  std::int32_t level_of(float real) const;
};

/// Constant integers with scales along an axis: weights.
struct Weights {
  Tensor levels;
  std::vector<float> scales;        ///< one, or one a channel
  std::vector<std::int32_t> zeros;  ///< as many, or one
  ValueId value = kNoValue;
  ValueId zero_value = kNoValue;  ///< kNoValue: all 0
  float scale(std::size_t channel) const { return scales[scales.size() == 1 ? 0 : channel]; }
  std::int32_t zero(std::size_t channel) const { return zeros[zeros.size() == 1 ? 0 : channel]; }
};

/// A graph and where its values are made and used. Nodes may be appended to `made`, never changed.
class Context {
 public:
  explicit Context(Graph& graph);
  Graph& graph() const { return graph_; }

  /// The node that makes a value, of ONNX's own domain; null for inputs, constants and others.
  const Node* producer(ValueId id) const;
  /// Only one node uses the value, once, and it is no output of the graph.
  bool has_one_use(ValueId id) const;

  /// The levels behind a value, where DequantizeLinear makes it with one constant scale.
  std::optional<Levels> levels_behind(ValueId id) const;
  /// Constant int8 or uint8 levels behind a value, one scale or one an index of `axis`.
  std::optional<Weights> weights_behind(ValueId id, std::size_t axis) const;
  /// What a QuantizeLinear to int8 or uint8 with one constant scale asks for.
  std::optional<Target> target_of(const Node& quantize) const;
  /// A bias of `channels` entries in steps of the sums, whose scales are `steps`: int32 as it stands where it has that scale,
  /// else rounded. Nothing when it is not constant, has another shape, or does not fit.
  std::optional<std::vector<std::int32_t>> bias_behind(ValueId id, std::span<const double> steps) const;

  /// The zero point as a value, made where it was left out.
  ValueId zero_of(const Levels& levels) const;
  ValueId zero_of(const Weights& weights) const;
  /// A constant named after the group's output.
  ValueId constant(const Target& target, std::string_view stem, Tensor tensor) const;
  /// A new value of the graph, named so.
  ValueId intermediate(const Target& target) const;

 private:
  std::optional<Levels> constants_of(const Node& node, DType dtype) const;

  Graph& graph_;
  std::vector<std::int32_t> producers_;
  std::vector<std::vector<std::int32_t>> consumers_;
};

/// A node of domain "moru" with the target's bounds where they are not the type's.
Node make_node(std::string_view op, const Target& target, std::vector<ValueId> inputs);

/// The nodes that stand in for a group, the last one making its output; empty when it does not fit.
std::vector<Node> fuse_sum(const Context& context, const Target& target);    ///< Conv, Gemm, MatMul
std::vector<Node> fuse_pair(const Context& context, const Target& target);   ///< Add, Sub, Mul of two
std::vector<Node> fuse_pool(const Context& context, const Target& target);   ///< averages
std::vector<Node> fuse_moves(const Context& context, const Target& target);  ///< what only moves levels; Concat, MaxPool
std::vector<Node> fuse_table(const Context& context, const Node& quantize);  ///< any function of one level

}  // namespace moru::model::qdq
