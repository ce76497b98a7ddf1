// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>
#include <vector>

#include "model/passes/pass.h"

namespace moru::model {
namespace {

/// Which value stands for which, as chains that end at a value that stands for itself.
class Aliases {
 public:
  explicit Aliases(std::size_t count) : next_(count) { std::iota(next_.begin(), next_.end(), 0); }
  void set(ValueId id, ValueId stands_for) { at(id) = stands_for; }
  ValueId resolve(ValueId id) {
    while (at(id) != id) {
      at(id) = at(at(id));  // halves the chain for the next one who asks
      id = at(id);
    }
    return id;
  }

 private:
  ValueId& at(ValueId id) { return next_[static_cast<std::size_t>(id)]; }
  std::vector<ValueId> next_;
};

Result<std::int64_t> run(Graph& graph) {
  auto& nodes = graph.nodes();
  auto producers = graph.producers();
  std::vector<bool> is_output(graph.value_count(), false);
  for (const ValueId id : graph.outputs) is_output[static_cast<std::size_t>(id)] = true;
  Aliases aliases(graph.value_count());
  std::vector<bool> removed(nodes.size(), false);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].op != "Identity" || !nodes[i].domain.empty()) continue;
    const ValueId from = aliases.resolve(nodes[i].inputs[0]);
    const ValueId to = nodes[i].outputs[0];
    const std::int32_t maker = producers[static_cast<std::size_t>(from)];
    if (!is_output[static_cast<std::size_t>(to)]) {
      aliases.set(to, from);
    } else if (maker >= 0 && !is_output[static_cast<std::size_t>(from)]) {
      // The output's name stays: who made `from` makes `to` instead.
      std::ranges::replace(nodes[static_cast<std::size_t>(maker)].outputs, from, to);
      producers[static_cast<std::size_t>(to)] = maker;
      aliases.set(from, to);
    } else {
      continue;
    }
    removed[i] = true;
  }
  const auto count = std::ranges::count(removed, true);
  if (count == 0) return 0;
  std::vector<Node> kept;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (removed[i]) continue;
    for (ValueId& id : nodes[i].inputs) {
      if (id != kNoValue) id = aliases.resolve(id);
    }
    kept.push_back(std::move(nodes[i]));
  }
  nodes = std::move(kept);
  graph.remove_unused();
  return count;
}

}  // namespace

extern const PassSpec kPass_eliminate_identity;
const PassSpec kPass_eliminate_identity{
    .name = "eliminate_identity",
    .doc =
        "Removes Identity nodes: who used the output uses the input. Left as it is: one that gives a graph output its name when the "
        "value is a graph input, a constant or another graph output.",
    .example = R"(graph "identity" {
  input x: float32[N, 2]
  a = Relu(x)
  b = Identity(a)
  y = Sigmoid(b)
  output y
})",
    .run = run};

}  // namespace moru::model
