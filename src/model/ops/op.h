// SPDX-License-Identifier: Apache-2.0
// What an op is: its schema, its shapes, a plain reference implementation, its documentation and examples.
// One file an op; CMake makes the table from the file names (src/model/ops/softmax.cc defines kOp_softmax).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"
#include "model/tensor/tensor.h"

namespace moru::model {

enum class AttributeKind : std::uint8_t { kInt, kFloat, kString, kInts, kFloats, kStrings, kTensor };

struct AttributeSpec {
  std::string_view name;
  AttributeKind kind;
  std::string_view doc;
  bool required = false;
};

struct PortSpec {
  std::string_view name;
  std::string_view doc;
  bool optional = false;
};

/// What an op's infer() sees of its node. Input shapes may be unknown; constants are visible where they are known.
class InferContext {
 public:
  InferContext(const Graph& graph, const Node& node);
  const Node& node() const { return node_; }
  bool has_input(std::size_t index) const;
  /// Type of an input; an empty ValueType for one that is left out.
  const ValueType& input(std::size_t index) const;
  /// The value of an input that is an initializer, else null.
  const Tensor* constant(std::size_t index) const;
  void set_output(std::size_t index, ValueType type);
  std::span<const ValueType> outputs() const { return outputs_; }

 private:
  const Graph& graph_;
  const Node& node_;
  std::vector<ValueType> outputs_;
};

/// What an op's reference() sees: `inputs[i]` is null for one that is left out; it sets every output.
struct EvalContext {
  const Node& node;
  std::span<const Tensor* const> inputs;
  std::span<Tensor> outputs;
};

/// One worked example, as the text form of a graph with its inputs and outputs as initializers is too long for people:
/// `graph` in text form; it is run and printed by `moru ops NAME` and by the tests.
struct OpExample {
  std::string_view title;
  std::string_view graph;     ///< text form: inputs are initializers, outputs are the graph's outputs
  std::string_view expected;  ///< the outputs, one a line, as the text form writes a tensor
};

struct OpSpec {
  std::string_view name;    ///< "Softmax"
  std::string_view domain;  ///< "" is ONNX's own
  std::int64_t since;       ///< first opset whose meaning this is
  std::string_view doc;     ///< one or two sentences with shapes, then the formula
  std::span<const PortSpec> inputs;
  std::span<const PortSpec> outputs;
  std::span<const AttributeSpec> attributes;
  bool variadic_inputs = false;  ///< the last input may repeat
  /// Sets the output types. Called with a node that fits the schema. Errors: kInvalidArgument with what was expected.
  Status (*infer)(InferContext& context);
  /// Plain loops, no tricks: the oracle for every engine. Checks its inputs' types and shapes (they come from a file).
  Status (*reference)(EvalContext& context);
  std::span<const OpExample> examples;
};

/// All ops in name order (generated).
std::span<const OpSpec* const> all_ops();
/// Null when there is none of that name.
const OpSpec* find_op(std::string_view name, std::string_view domain = "");

/// Runs a whole graph by reference implementations. `inputs` in the order of graph.inputs; the result in that of
/// graph.outputs. `observe`, if set, sees every value as it is made. Cost: slow; for tests, calibration and small data.
using Observer = void (*)(void* user, ValueId id, const Tensor& tensor);
Result<std::vector<Tensor>> evaluate(const Graph& graph, std::span<const Tensor> inputs, Observer observe = nullptr, void* user = nullptr);

}  // namespace moru::model
