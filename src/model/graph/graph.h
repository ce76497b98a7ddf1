// SPDX-License-Identifier: Apache-2.0
// The graph: what a model computes. Values (tensors by name) joined by nodes (ops with attributes).
//
// Invariants (checked by verify() of model/ops/verify.h): each value has one producer (a node, a graph input or an initializer); nodes
// stand in an order in which every input is produced before it is used; names are unique and not empty. Threads: a graph has one owner; a
// const graph may be read from several threads.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/result.h"
#include "model/tensor/quantization.h"
#include "model/tensor/tensor.h"

namespace moru::model {

/// One extent of a symbolic shape: a number, or a name such as "N" (unknown until run), or neither.
struct Dim {
  std::int64_t value = -1;  ///< >= 0 when known
  std::string symbol;       ///< used when value < 0; may be empty: unknown and unrelated to any other
  bool known() const { return value >= 0; }
  bool operator==(const Dim&) const = default;
};
using SymbolicShape = std::vector<Dim>;

/// "[N, 1, 28, 28]"; "?" for an unknown extent.
std::string to_string(const SymbolicShape& shape);

struct ValueType {
  std::optional<DType> dtype;
  std::optional<SymbolicShape> shape;                       ///< nullopt: rank unknown
  std::optional<Quantization> quantization = std::nullopt;  ///< TFLite's way to quantise; ONNX's has ops and leaves this empty
  bool operator==(const ValueType&) const = default;
};

/// Index of a value in Graph::values(). kNoValue stands for an optional input or output that is left out.
using ValueId = std::int32_t;
inline constexpr ValueId kNoValue = -1;

struct Value {
  std::string name;
  ValueType type;
};

class Graph;

/// The body of a control-flow op, closed: what it takes from the graph around it are its LAST inputs, in the order of
/// `captures`, which are values of that graph. Its other inputs are given by the op (Loop's state, Scan's slices). A capture is a
/// use of the value by the node. The body is shared by copies; to change it, copy it and put the copy here. Its opset is the
/// outer graph's.
struct Subgraph {
  std::shared_ptr<const Graph> graph;  ///< never null in a verified graph
  std::vector<ValueId> captures;
};
/// Graphs lie no deeper in one another; checked by verify() and by each reader.
inline constexpr int kMaxGraphDepth = 64;

using Attribute = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>, std::vector<std::string>,
                               Tensor, Subgraph>;
using Attributes = std::map<std::string, Attribute, std::less<>>;

struct Node {
  std::string name;    ///< may be empty; for messages
  std::string op;      ///< ONNX op type: "Conv"
  std::string domain;  ///< "" is ONNX's own
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  Attributes attributes;
};

class Graph {
 public:
  std::string name;
  std::int64_t opset = 13;                                    ///< of ONNX's own domain
  std::map<std::string, std::int64_t, std::less<>> domains;   ///< opsets of other domains that nodes use; one left out is 1
  std::vector<std::pair<std::string, std::string>> metadata;  ///< ONNX metadata_props, kept in order
  std::vector<ValueId> inputs;                                ///< graph inputs, without initializers
  std::vector<ValueId> outputs;

  /// Adds a value. `name` must be new (checked); make_name() gives one.
  ValueId add_value(std::string name, ValueType type = {});
  /// A name that is not taken, made from `stem`.
  std::string unused_name(std::string_view stem) const;
  std::optional<ValueId> find_value(std::string_view name) const;
  const Value& value(ValueId id) const { return values_[static_cast<std::size_t>(id)]; }
  void set_type(ValueId id, ValueType type) { values_[static_cast<std::size_t>(id)].type = std::move(type); }
  void rename(ValueId id, std::string name);
  std::size_t value_count() const { return values_.size(); }

  /// A constant known when the model is made: weights. Sets the value's element type and shape.
  ValueId add_initializer(std::string name, Tensor tensor);
  void set_initializer(ValueId id, Tensor tensor);
  /// The value stays, as one that nothing makes: for initializers that nothing uses.
  void remove_initializer(ValueId id) { initializers_.erase(id); }
  const Tensor* initializer(ValueId id) const;
  const std::map<ValueId, Tensor>& initializers() const { return initializers_; }

  std::vector<Node>& nodes() { return nodes_; }
  const std::vector<Node>& nodes() const { return nodes_; }

  /// Index of the node that produces each value (-1: graph input, initializer or none), and of those that use it, as an
  /// input or in a body (as often as they do). Cost: one walk over the graph.
  std::vector<std::int32_t> producers() const;
  std::vector<std::vector<std::int32_t>> consumers() const;

  /// Every use of `from` (also as a graph output) becomes a use of `to`.
  void replace_uses(ValueId from, ValueId to);
  /// Removes nodes whose outputs nobody uses, initializers and values that are then unused, and renumbers values.
  void remove_unused();

 private:
  std::vector<Value> values_;
  std::map<std::string, ValueId, std::less<>> by_name_;
  std::map<ValueId, Tensor> initializers_;
  std::vector<Node> nodes_;
};

/// Calls f(ValueId&) (or const) for each value that a node uses: inputs that are not left out, and captures of its bodies.
template <class NodeType, class F>
void for_each_use(NodeType& node, F&& f) {
  for (auto& id : node.inputs) {
    if (id != kNoValue) f(id);
  }
  for (auto& [name, attribute] : node.attributes) {
    if (auto* subgraph = std::get_if<Subgraph>(&attribute)) {
      for (auto& id : subgraph->captures) f(id);
    }
  }
}

/// Where a node stands, for messages: "node 3 (Conv 'conv1')".
std::string describe(const Graph& graph, std::size_t node_index);

/// An attribute of a node, or `fallback` when it is left out. A value of another type is kInvalidArgument with the
/// attribute's name, what was found and what was expected.
Result<std::int64_t> int_attribute(const Node& node, std::string_view name, std::int64_t fallback);
Result<float> float_attribute(const Node& node, std::string_view name, float fallback);
Result<std::string> string_attribute(const Node& node, std::string_view name, std::string fallback);
Result<std::vector<std::int64_t>> ints_attribute(const Node& node, std::string_view name, std::vector<std::int64_t> fallback);

}  // namespace moru::model
