// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "model/ops/op.h"
#include "model/passes/pass.h"

namespace moru::model {
namespace {

// A constant that is made larger than what it is made of costs more than it saves.
constexpr std::size_t kMaxGrowthBytes = std::size_t{1} << 20U;

/// Quantised constants stay what they are, and what is random or has a body is left to run.
bool is_folded(const Graph& graph, const Node& node) {
  if (node.op == "DequantizeLinear" || node.op == "QuantizeLinear" || node.inputs.empty()) return false;
  const auto is_constant = [&](ValueId id) { return id == kNoValue || graph.initializer(id) != nullptr; };
  const auto is_output = [&](ValueId id) { return std::ranges::find(graph.outputs, id) != graph.outputs.end(); };
  const auto is_body = [](const auto& attribute) { return std::holds_alternative<Subgraph>(attribute.second); };
  const OpSpec* spec = find_op(node.op, node.domain);
  return spec != nullptr && spec->reference != nullptr && std::ranges::all_of(node.inputs, is_constant) &&
         std::ranges::none_of(node.outputs, is_output) && std::ranges::none_of(node.attributes, is_body) &&
         !node.op.starts_with("Random") && node.op != "Bernoulli" && node.op != "Multinomial";
}

Result<std::int64_t> run(Graph& graph) {
  std::int64_t changes = 0;
  std::vector<Node> kept;
  for (Node& node : graph.nodes()) {
    if (!is_folded(graph, node)) {
      kept.push_back(std::move(node));
      continue;
    }
    std::vector<const Tensor*> inputs;
    std::size_t bytes_in = 0;
    for (const ValueId id : node.inputs) {
      inputs.push_back(id == kNoValue ? nullptr : graph.initializer(id));
      if (inputs.back() != nullptr) bytes_in += inputs.back()->size_bytes();
    }
    // What only the values show, a division by zero for one, is an error when it runs, and not before.
    const auto outputs = evaluate_node(node, inputs);
    std::size_t bytes_out = 0;
    if (outputs) {
      for (const Tensor& tensor : *outputs) bytes_out += tensor.size_bytes();
    }
    if (!outputs || bytes_out > bytes_in + kMaxGrowthBytes) {
      kept.push_back(std::move(node));
      continue;
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) graph.set_initializer(node.outputs[i], (*outputs)[i]);
    }
    ++changes;
  }
  graph.nodes() = std::move(kept);
  if (changes > 0) graph.remove_unused();
  return changes;
}

}  // namespace

extern const PassSpec kPass_fold_constants;
const PassSpec kPass_fold_constants{
    .name = "fold_constants",
    .doc =
        "Computes what depends on constants alone, once, by the reference implementations. Left as they are: quantised constants "
        "(QuantizeLinear, DequantizeLinear), random numbers, graph outputs, and what would grow by more than 1 MiB.",
    .example = R"(graph "constants" {
  input x: float32[2]
  init a = float32[2] {1, 2}
  init b = float32[2] {3, 4}
  c = Add(a, b)
  y = Mul(x, c)
  output y
})",
    .run = run};

}  // namespace moru::model
