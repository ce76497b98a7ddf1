// SPDX-License-Identifier: Apache-2.0
#include "runtime/supports/one_node.h"

#include <fmt/format.h>

#include <limits>
#include <map>

#include "model/graph/text.h"

namespace moru::runtime {
namespace {

using model::Graph;
using model::Node;
using model::ValueId;

/// Constants of more elements are inputs instead.
Graph alone(const Graph& graph, std::size_t index, std::int64_t most_elements) {
  Graph made;
  made.opset = graph.opset;
  made.domains = graph.domains;
  Node node = graph.nodes()[index];
  node.name.clear();
  std::map<ValueId, ValueId> moved;
  model::for_each_use(node, [&](ValueId& id) {
    const auto [at, is_new] = moved.try_emplace(id, model::kNoValue);
    if (is_new) {
      const model::Tensor* constant = graph.initializer(id);
      const std::string name = fmt::format("x{}", moved.size() - 1);
      if (constant != nullptr && constant->count() <= most_elements) {
        at->second = made.add_initializer(name, *constant);
        made.set_type(at->second, graph.value(id).type);  // its quantisation
      } else {
        at->second = made.add_value(name, graph.value(id).type);
        made.inputs.push_back(at->second);
      }
    }
    id = at->second;
  });
  for (ValueId& id : node.outputs) {
    if (id == model::kNoValue) continue;
    id = made.add_value(fmt::format("y{}", made.outputs.size()), graph.value(id).type);
    made.outputs.push_back(id);
  }
  made.nodes().push_back(std::move(node));
  return made;
}

}  // namespace

Graph one_node(const Graph& graph, std::size_t index) { return alone(graph, index, std::numeric_limits<std::int64_t>::max()); }

std::string kind_of_node(const Graph& graph, std::size_t index) {
  constexpr std::int64_t kMostParameters = 64;
  return model::to_text(alone(graph, index, kMostParameters), {.max_elements = kMostParameters});
}

}  // namespace moru::runtime
