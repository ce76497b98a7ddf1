// SPDX-License-Identifier: Apache-2.0
// What rules ask of a node, in ONNX's words and in TFLite's alike.
//
// An ONNX model says that an op is quantised by the nodes around it: DequantizeLinear before its inputs, QuantizeLinear behind its output.
// Devices compile such a group to one op on integers. So the type of a value here is that of the integers at the group's border.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace moru::model::targets {

/// "Conv", "CONV_2D"; of other domains "com.microsoft.Gelu".
std::string op_name(const Node& node);

/// What rules ask of windows, along each spatial axis; empty for ops that have none.
struct Window {
  std::vector<std::int64_t> kernel;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
};

/// Borrows the graph, which must not change meanwhile.
class Facts {
 public:
  explicit Facts(const Graph& graph);
  const Graph& graph() const { return graph_; }
  const std::vector<std::int32_t>& producers() const { return producers_; }
  const std::vector<std::vector<std::int32_t>>& consumers() const { return consumers_; }

  /// By a node, or as an output of the graph.
  bool is_used(ValueId id) const { return is_output_[static_cast<std::size_t>(id)] || !consumers_[static_cast<std::size_t>(id)].empty(); }

  /// Where the integers of ONNX begin or end. Such a node is looked at as it is; other nodes through it.
  static bool is_border(const Node& node);

  /// The type that the device computes on, when it is known.
  std::optional<DType> dtype(ValueId id) const;
  /// A constant, or the dequantised one.
  bool is_constant(ValueId id) const;
  std::optional<Quantization> quantization(ValueId id) const;

  Window window(const Node& node) const;
  /// Whether the node reduces, splits, packs or pads axis 0, as far as that is known.
  bool touches_batch(const Node& node) const;
  /// Constant integers of either width.
  std::optional<std::vector<std::int64_t>> ints(const Node& node, std::size_t input) const;

 private:
  const Node* producer(ValueId id) const;
  /// The QuantizeLinear that is all that becomes of a value, but for a bound that it takes in (Relu, Clip).
  const Node* quantizer(ValueId id) const;
  std::optional<Quantization> parameters(const Node& border) const;

  const Graph& graph_;
  std::vector<std::int32_t> producers_;
  std::vector<std::vector<std::int32_t>> consumers_;
  std::vector<bool> is_output_;
};

}  // namespace moru::model::targets
