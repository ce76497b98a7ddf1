// SPDX-License-Identifier: Apache-2.0
#include "model/ops/verify.h"

#include <fmt/format.h>

#include "model/ops/support/schema.h"

namespace moru::model {
namespace {

/// Tracks which values have been made on the walk from inputs to outputs.
class Values {
 public:
  explicit Values(const Graph& graph) : graph_(graph), made_(graph.value_count(), false) {}

  Status make(ValueId id) {
    MORU_RETURN_IF_ERROR(check_range(id));
    if (made_[static_cast<std::size_t>(id)]) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("value '{:.100}': found a second producer, expected one", graph_.value(id).name));
    }
    made_[static_cast<std::size_t>(id)] = true;
    return {};
  }

  Status use(ValueId id) const {
    MORU_RETURN_IF_ERROR(check_range(id));
    if (!made_[static_cast<std::size_t>(id)]) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("value '{:.100}': found a use before it is made, expected its producer above", graph_.value(id).name));
    }
    return {};
  }

 private:
  Status check_range(ValueId id) const {
    if (id >= 0 && static_cast<std::size_t>(id) < graph_.value_count()) return {};
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("found value number {}, expected 0 to {}", id, static_cast<std::int64_t>(graph_.value_count()) - 1));
  }

  const Graph& graph_;
  std::vector<bool> made_;
};

Status verify_values(const Graph& graph) {
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const Value& value = graph.value(static_cast<ValueId>(i));
    if (value.name.empty()) return fail(ErrorCode::kInvalidArgument, fmt::format("value {}: found no name, expected one", i));
    MORU_RETURN_IF_ERROR_IN(fmt::format("value '{:.100}'", value.name), ops::check_type(value.type));
  }
  for (const auto& [id, tensor] : graph.initializers()) {
    ValueType type = ops::type_of(tensor);
    type.quantization = graph.value(id).type.quantization;
    if (graph.value(id).type != type) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("initializer '{:.100}': found a type that is not that of its tensor, expected {}{}", graph.value(id).name,
                              to_string(tensor.dtype()), to_string(tensor.dims())));
    }
  }
  return {};
}

Status verify_graph(const Graph& graph, int depth);

/// A body's last inputs stand for the captures; what they are of each other is for infer_shapes().
Status verify_subgraph(const Graph& graph, const Subgraph& subgraph, int depth) {
  if (subgraph.graph == nullptr) return fail(ErrorCode::kInvalidArgument, "found no graph, expected one");
  if (depth >= kMaxGraphDepth) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("found graphs more than {} deep in one another, expected at most that", kMaxGraphDepth));
  }
  const Graph& body = *subgraph.graph;
  if (subgraph.captures.size() > body.inputs.size()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found {} captured values and {} inputs, expected an input for each",
                                                         subgraph.captures.size(), body.inputs.size()));
  }
  if (body.opset != graph.opset) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found opset {}, expected {} as of the graph around it", body.opset, graph.opset));
  }
  return verify_graph(body, depth + 1);
}

Status verify_node(const Graph& graph, const Node& node, Values& values, int depth) {
  MORU_RETURN_IF_ERROR(ops::check_schema(node));
  Status used;
  for_each_use(node, [&](ValueId id) {
    if (used) used = values.use(id);
  });
  MORU_RETURN_IF_ERROR(used);
  for (const auto& [name, attribute] : node.attributes) {
    const auto* subgraph = std::get_if<Subgraph>(&attribute);
    if (subgraph != nullptr) MORU_RETURN_IF_ERROR_IN(fmt::format("attribute '{:.60}'", name), verify_subgraph(graph, *subgraph, depth));
  }
  for (const ValueId id : node.outputs) {
    if (id != kNoValue) MORU_RETURN_IF_ERROR(values.make(id));
  }
  return {};
}

Status verify_graph(const Graph& graph, int depth) {
  MORU_RETURN_IF_ERROR(verify_values(graph));
  Values values(graph);
  for (const ValueId id : graph.inputs) MORU_RETURN_IF_ERROR_IN("graph input", values.make(id));
  for (const auto& [id, tensor] : graph.initializers()) MORU_RETURN_IF_ERROR_IN("initializer", values.make(id));
  for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    MORU_RETURN_IF_ERROR_IN(describe(graph, i), verify_node(graph, graph.nodes()[i], values, depth));
  for (const ValueId id : graph.outputs) MORU_RETURN_IF_ERROR_IN("graph output", values.use(id));
  return {};
}

}  // namespace

Status verify(const Graph& graph) { return verify_graph(graph, 0); }

}  // namespace moru::model
