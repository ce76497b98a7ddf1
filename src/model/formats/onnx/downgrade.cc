// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/downgrade.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "model/ops/op.h"

namespace moru::model::onnx {
namespace {

std::set<ValueId> used_values(const Graph& graph) {
  std::set<ValueId> used(graph.outputs.begin(), graph.outputs.end());
  for (const Node& node : graph.nodes()) for_each_use(node, [&](ValueId id) { used.insert(id); });
  return used;
}

/// A body's captures stay its last inputs, also those that nothing uses any more.
Status downgrade_bodies(Node& node, std::int64_t opset) {
  for (auto& [name, attribute] : node.attributes) {
    auto* body = std::get_if<Subgraph>(&attribute);
    if (body == nullptr) continue;
    MORU_ASSIGN_OR_RETURN_IN(fmt::format("attribute '{:.60}'", name), Downgraded inner, downgraded(*body->graph, opset));
    for (const ValueId id : inner.dropped) inner.graph.remove_initializer(id);
    body->graph = std::make_shared<const Graph>(std::move(inner.graph));
  }
  return {};
}

}  // namespace

Result<Downgraded> downgraded(Graph graph, std::int64_t opset) {
  graph.opset = opset;
  const std::set<ValueId> used = used_values(graph);
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const auto where = describe(graph, i);
    Node& node = graph.nodes()[i];
    const OpSpec* op = find_op(node.op, node.domain);
    if (op != nullptr && node.domain.empty() && op->since > opset) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{}: found opset {}, expected at least {}, since which {} exists", where, opset, op->since, node.op));
    }
    MORU_RETURN_IF_ERROR_IN(where, downgrade_bodies(node, opset));
    NodeRewrite rewrite{graph, opset, std::move(node), {}, {}};
    if (op != nullptr && op->downgrade != nullptr && opset < kNewestOpset) MORU_RETURN_IF_ERROR_IN(where, op->downgrade(rewrite));
    std::ranges::move(rewrite.before, std::back_inserter(nodes));
    nodes.push_back(std::move(rewrite.node));
    std::ranges::move(rewrite.after, std::back_inserter(nodes));
  }
  graph.nodes() = std::move(nodes);
  Downgraded result{std::move(graph), {}};
  const std::set<ValueId> still_used = used_values(result.graph);
  for (const auto& [id, tensor] : result.graph.initializers()) {
    if (used.contains(id) && !still_used.contains(id)) result.dropped.insert(id);
  }
  return result;
}

}  // namespace moru::model::onnx
