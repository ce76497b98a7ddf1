// SPDX-License-Identifier: Apache-2.0
#include "model/passes/layout/simplify.h"

#include <algorithm>
#include <optional>

#include "model/passes/layout/permutation.h"

namespace moru::model::layout {
namespace {

bool is_output(const Graph& graph, ValueId id) { return std::ranges::find(graph.outputs, id) != graph.outputs.end(); }

/// One step of merge_transposes.
bool merge_one(Graph& graph, std::size_t index, const std::vector<std::int32_t>& producers) {
  const Node node = graph.nodes()[index];
  const auto perm = permutation_of(graph, node);
  if (!perm) return false;
  const ValueId x = node.inputs[0];
  const ValueId y = node.outputs[0];
  if (is_identity(*perm)) return substitute(graph, y, x);
  if (const Tensor* constant = graph.initializer(x)) {
    auto moved = is_output(graph, y) ? fail(ErrorCode::kUnsupported, "an output") : permuted(*constant, *perm);
    if (!moved) return false;
    const ValueType type = permuted(graph.value(x).type, *perm);
    const ValueId folded = graph.add_initializer(graph.unused_name(graph.value(x).name), std::move(*moved));
    graph.set_type(folded, type);
    return substitute(graph, y, folded);
  }
  const std::int32_t maker = producers[static_cast<std::size_t>(x)];
  if (maker < 0) return false;
  const auto first = permutation_of(graph, graph.nodes()[static_cast<std::size_t>(maker)]);
  if (!first) return false;
  const ValueId from = graph.nodes()[static_cast<std::size_t>(maker)].inputs[0];
  const Perm both = compose(*first, *perm);
  if (is_identity(both) && substitute(graph, y, from)) return true;
  graph.nodes()[index] = make_transpose(graph, is_tflite(node), from, y, both);
  graph.nodes()[index].name = node.name;
  return true;
}

/// Where the constant weights of a matrix product stand, and which of their axes is summed over.
struct Weights {
  std::size_t input = 1;
  std::size_t axis = 0;
};
std::optional<Weights> weights_of(const Graph& graph, const Node& node, ValueId data) {
  if (node.inputs.size() < 2 || node.inputs[0] != data || node.inputs[1] == kNoValue || node.inputs[1] == data) return std::nullopt;
  const Tensor* weights = graph.initializer(node.inputs[1]);
  if (weights == nullptr || weights->rank() != 2) return std::nullopt;
  Weights out;
  if (is_op(node, "MatMul", "FULLY_CONNECTED")) {
    out.axis = is_tflite(node) ? 1 : 0;
  } else if (is_op(node, "Gemm", "")) {
    const auto trans_a = int_attribute(node, "transA", 0);
    const auto trans_b = int_attribute(node, "transB", 0);
    if (!trans_a || !trans_b || *trans_a != 0) return std::nullopt;
    out.axis = *trans_b != 0 ? 1 : 0;
  } else {
    return std::nullopt;
  }
  // One scale an index of the summed axis is not to be had.
  const auto& quantization = graph.value(node.inputs[1]).type.quantization;
  if (quantization && quantization->scales.size() > 1 && quantization->axis == static_cast<std::int32_t>(out.axis)) return std::nullopt;
  return out;
}

/// The first axis that the reshape merges into the last axis of its result; nothing when it does more than that.
std::optional<std::size_t> merged_from(const SymbolicShape& from, const SymbolicShape& to) {
  if (to.empty() || to.size() > from.size()) return std::nullopt;
  const std::size_t lead = to.size() - 1;
  for (std::size_t i = 0; i < lead; ++i) {
    if (from[i] != to[i] || (!from[i].known() && from[i].symbol.empty() && lead != 1)) return std::nullopt;
  }
  std::int64_t product = 1;
  for (std::size_t i = lead; i < from.size(); ++i) {
    if (!from[i].known()) return std::nullopt;
    product *= from[i].value;
  }
  return to[lead].value == product ? std::optional(lead) : std::nullopt;
}

Result<Tensor> reorder(const Tensor& weights, std::size_t axis, const SymbolicShape& shape, std::size_t lead, const Perm& perm) {
  // Weights [K, N] or [N, K], K spread out over the axes of y, brought to the order that x has them in.
  Dims spread;
  Perm order;
  for (std::size_t i = 0; i < 2; ++i) {
    if (i != axis) {
      order.push_back(spread.size());
      spread.push_back(weights.dims()[i]);
      continue;
    }
    const std::size_t base = spread.size();
    for (std::size_t k = lead; k < shape.size(); ++k) spread.push_back(shape[k].value);
    const Perm back = inverse(perm);
    for (std::size_t k = lead; k < shape.size(); ++k) order.push_back(base + back[k] - lead);
  }
  MORU_ASSIGN_OR_RETURN(const Tensor moved, permuted(weights.reshaped(std::move(spread)), order));
  return moved.reshaped(weights.dims());
}

bool fold_one(Graph& graph, std::size_t index, const std::vector<std::vector<std::int32_t>>& consumers) {
  const Node transpose = graph.nodes()[index];
  const auto perm = permutation_of(graph, transpose);
  const ValueId y = transpose.outputs.empty() ? kNoValue : transpose.outputs[0];
  if (!perm || is_output(graph, y) || consumers[static_cast<std::size_t>(y)].size() != 1) return false;
  const auto reshape_index = static_cast<std::size_t>(consumers[static_cast<std::size_t>(y)][0]);
  const Node reshape = graph.nodes()[reshape_index];
  if ((!is_op(reshape, "Reshape", "RESHAPE") && !is_op(reshape, "Flatten", "")) || reshape.inputs[0] != y) return false;
  const ValueId z = reshape.outputs[0];
  const auto& y_shape = graph.value(y).type.shape;
  const auto& z_shape = graph.value(z).type.shape;
  if (!y_shape || !z_shape || is_output(graph, z)) return false;
  const auto lead = merged_from(*y_shape, *z_shape);
  if (!lead) return false;
  for (std::size_t i = 0; i < *lead; ++i) {
    if ((*perm)[i] != i) return false;
  }
  const auto& users = consumers[static_cast<std::size_t>(z)];
  for (const std::int32_t user : users) {
    if (!weights_of(graph, graph.nodes()[static_cast<std::size_t>(user)], z)) return false;
  }
  for (const std::int32_t user : users) {
    Node& product = graph.nodes()[static_cast<std::size_t>(user)];
    const Weights weights = *weights_of(graph, product, z);
    auto moved = reorder(*graph.initializer(product.inputs[1]), weights.axis, *y_shape, *lead, *perm);
    if (!moved) return false;
    const Value old = graph.value(product.inputs[1]);
    const ValueId id = graph.add_initializer(graph.unused_name(old.name), std::move(*moved));
    graph.set_type(id, old.type);
    product.inputs[1] = id;
  }
  graph.nodes()[reshape_index] = make_reshape(graph, is_tflite(reshape), transpose.inputs[0], z);
  graph.nodes()[reshape_index].name = reshape.name;
  return true;
}

bool can_reshape_to(const Graph& graph, ValueId to) {
  const auto& shape = graph.value(to).type.shape;
  return shape && std::ranges::count_if(*shape, [](const Dim& dim) { return !dim.known(); }) <= 1;
}

bool simplify_one(Graph& graph, std::size_t index, const std::vector<std::int32_t>& producers) {
  const Node node = graph.nodes()[index];
  if (const auto perm = permutation_of(graph, node)) {
    const auto& shape = graph.value(node.inputs[0]).type.shape;
    if (!shape || !moves_only_ones(*shape, *perm) || !can_reshape_to(graph, node.outputs[0])) return false;
    graph.nodes()[index] = make_reshape(graph, is_tflite(node), node.inputs[0], node.outputs[0]);
    graph.nodes()[index].name = node.name;
    return true;
  }
  const auto is_reshape = [](const Node& one) { return is_op(one, "Reshape", "RESHAPE") || is_op(one, "Flatten", ""); };
  if (!is_reshape(node) || !can_reshape_to(graph, node.outputs[0])) return false;
  const auto& from = graph.value(node.inputs[0]).type;
  const auto& to = graph.value(node.outputs[0]).type;
  if (from.shape && from == to && substitute(graph, node.outputs[0], node.inputs[0])) return true;
  const std::int32_t maker = producers[static_cast<std::size_t>(node.inputs[0])];
  if (maker < 0) return false;
  const Node& before = graph.nodes()[static_cast<std::size_t>(maker)];
  if (!is_reshape(before) || is_tflite(before) != is_tflite(node)) return false;
  graph.nodes()[index] = make_reshape(graph, is_tflite(node), before.inputs[0], node.outputs[0]);
  graph.nodes()[index].name = node.name;
  return true;
}

/// Walks until nothing changes. Each change takes away a node or shortens a chain, so it ends.
template <class Step, class Facts>
std::int64_t repeat(Graph& graph, Step step, Facts facts) {
  std::int64_t changes = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < graph.nodes().size() && !changed; ++i) changed = step(graph, i, facts(graph));
    if (!changed) break;
    ++changes;
    sort_nodes(graph);
    graph.remove_unused();
  }
  return changes;
}

}  // namespace

std::int64_t merge_transposes(Graph& graph) {
  return repeat(graph, merge_one, [](const Graph& one) { return one.producers(); });
}
std::int64_t fold_into_weights(Graph& graph) {
  return repeat(graph, fold_one, [](const Graph& one) { return one.consumers(); });
}
std::int64_t simplify_reshapes(Graph& graph) {
  return repeat(graph, simplify_one, [](const Graph& one) { return one.producers(); });
}

}  // namespace moru::model::layout
