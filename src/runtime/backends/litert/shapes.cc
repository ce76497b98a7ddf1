// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/litert/shapes.h"

#include <algorithm>

#include "model/ops/verify.h"

namespace moru::runtime::litert {
namespace {

bool is_known(const model::ValueType& type) {
  return type.shape && std::ranges::all_of(*type.shape, [](const model::Dim& dim) { return dim.known(); });
}

/// With `extent` for each one of the inputs that is open. `graph` is a copy.
bool follow_from(model::Graph graph, std::int64_t extent) {
  for (const auto id : graph.inputs) {
    model::ValueType type = graph.value(id).type;
    for (model::Dim& dim : *type.shape) {
      if (!dim.known()) dim = {extent, ""};
    }
    graph.set_type(id, std::move(type));
  }
  for (const model::Node& node : graph.nodes()) {
    for (const auto id : node.outputs) {
      if (id == model::kNoValue) continue;
      model::ValueType type = graph.value(id).type;
      type.shape.reset();
      graph.set_type(id, std::move(type));
    }
  }
  if (!model::infer_shapes(graph)) return false;
  return std::ranges::all_of(graph.nodes(), [&graph](const model::Node& node) {
    return std::ranges::all_of(node.outputs, [&graph](auto id) { return id == model::kNoValue || is_known(graph.value(id).type); });
  });
}

}  // namespace

bool shapes_follow_inputs(const model::Graph& graph) {
  for (const model::Node& node : graph.nodes()) {
    if (std::ranges::any_of(node.attributes, [](const auto& entry) { return std::holds_alternative<model::Subgraph>(entry.second); })) {
      return false;
    }
  }
  // One that fits is enough: whether shapes depend on values is a matter of the ops. 1 fits a batch, the others pictures and signals.
  constexpr std::int64_t kExtents[] = {1, 32, 224, 16'000};
  return std::ranges::any_of(kExtents, [&graph](std::int64_t extent) { return follow_from(graph, extent); });
}

}  // namespace moru::runtime::litert
