// SPDX-License-Identifier: Apache-2.0
// What the conversion of one node sees and makes.
//
// Between the formats a graph is of mixed words: values carry quantisation as TFLite's do, and ops may be of either kind. So a
// conversion of Conv is one for float and for integers: it moves types along and needs not look at them.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "model/convert/convert.h"
#include "model/graph/graph.h"
#include "model/passes/layout/permutation.h"

namespace moru::model::convert {

/// Activations that convolutions and the like may have inside, and the attribute that says which.
inline constexpr std::string_view kActivation = "fused_activation_function";
inline constexpr std::string_view kNoActivation = "NONE";

/// Makes the nodes that stand for one node, in order.
class Rewrite {
 public:
  Rewrite(Graph& whole, Node old, bool into_tflite, const ConvertOptions& how, std::vector<std::string>& remarks)
      : graph(whole), node(std::move(old)), options(how), notes(remarks), to_tflite_(into_tflite) {}

  Graph& graph;
  const Node node;
  const ConvertOptions& options;
  std::vector<std::string>& notes;
  std::vector<Node> made = {};

  bool has_input(std::size_t index) const { return index < node.inputs.size() && node.inputs[index] != kNoValue; }
  ValueId input(std::size_t index) const { return has_input(index) ? node.inputs[index] : kNoValue; }
  ValueId output() const { return node.outputs[0]; }
  const ValueType& type(ValueId id) const { return graph.value(id).type; }
  const Tensor* constant(std::size_t index) const { return has_input(index) ? graph.initializer(node.inputs[index]) : nullptr; }

  /// The shape of a value; kUnsupported when its rank is not known.
  Result<SymbolicShape> shape(ValueId id) const;
  /// The shape when every extent is known.
  Result<Dims> dims(ValueId id) const;
  /// Constant integers of either width; kUnsupported when they are computed. `fallback` when left out.
  Result<std::vector<std::int64_t>> ints(std::size_t index, std::vector<std::int64_t> fallback = {}) const;
  /// One constant float.
  Result<float> real(std::size_t index, float fallback) const;

  /// A new value named after the output, of this type.
  ValueId value(ValueType type);
  /// A new value as `like`, with another shape.
  ValueId value_like(ValueId like, SymbolicShape shape);
  ValueId constant(std::string_view stem, Tensor tensor);
  ValueId int32s(std::string_view stem, std::span<const std::int64_t> values);
  ValueId int64s(std::string_view stem, std::span<const std::int64_t> values);

  /// Adds a node in the words of the format that is made. The first that makes the output gets the node's name.
  void add(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs, Attributes attributes = {});
  /// A transpose and its result, by the permutation of axes; none for the identity.
  ValueId transpose(ValueId from, const layout::Perm& perm);
  /// A transpose whose result is `to`.
  void transpose_to(ValueId from, ValueId to, const layout::Perm& perm);
  /// A reshape and its result.
  ValueId reshape(ValueId from, SymbolicShape shape);
  void reshape_to(ValueId from, ValueId to);
  /// `id` times a factor, plus a summand; for what a format has no op for.
  ValueId scaled(ValueId id, float factor, float summand);

  std::unexpected<Error> unsupported(std::string_view what, std::string_view expected) const;

 private:
  bool to_tflite_;
};

/// One op's conversion.
struct Conversion {
  std::string_view op;
  Status (*run)(Rewrite& rewrite);
};
struct ConversionSet {
  std::span<const Conversion> rows;
};

/// The tables, one set a file of the folders to_tflite/ and to_onnx/ (generated).
std::span<const ConversionSet* const> all_to_tflite();
std::span<const ConversionSet* const> all_to_onnx();

/// NCHW -> NHWC and back, for any number of spatial axes.
layout::Perm channels_last(std::size_t rank);
layout::Perm channels_first(std::size_t rank);

}  // namespace moru::model::convert
