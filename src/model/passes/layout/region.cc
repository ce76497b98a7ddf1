// SPDX-License-Identifier: Apache-2.0
#include "model/passes/layout/region.h"

#include <algorithm>
#include <set>

namespace moru::model::layout {
namespace {

/// Elements of a shape; an unknown extent counts as one, as a batch mostly is.
double elements_of(const std::optional<SymbolicShape>& shape) {
  double count = 1;
  if (shape) {
    for (const Dim& dim : *shape) count *= dim.known() ? static_cast<double>(dim.value) : 1.0;
  }
  return count;
}

}  // namespace

RegionFinder::RegionFinder(Graph& graph)
    : graph_(graph), producers_(graph.producers()), consumers_(graph.consumers()), is_output_(graph.value_count(), false) {
  for (const ValueId id : graph.outputs) is_output_[static_cast<std::size_t>(id)] = true;
  for (const Node& node : graph.nodes()) transposes_.push_back(permutation_of(graph, node));
}

Cost RegionFinder::cost_of(ValueId from, const Perm& perm) const {
  const auto& shape = graph_.value(from).type.shape;
  if (is_identity(perm) || graph_.initializer(from) != nullptr || (shape && moves_only_ones(*shape, perm))) return {};
  return {elements_of(shape), 1};
}

/// Takes the node in when its rule lets the permutation pass and no value would need two layouts. `via` is the value by which
/// it was reached.
bool RegionFinder::add_node(Region& region, std::size_t index, const Perm& perm, bool from_output, ValueId via) const {
  if (region.nodes.contains(index) || transpose(index)) return false;
  PermuteContext context{.graph = graph_, .node = graph_.nodes()[index], .perm = perm, .permuted = {}, .outputs = {}};
  if (!permute(context)) return false;
  const Node& node = graph_.nodes()[index];
  std::map<ValueId, Perm> wanted;
  bool reached = false;
  const auto want = [&](ValueId id, const Perm& tag) {
    if (id == kNoValue) return true;
    const auto known = region.tags.find(id);
    if (known != region.tags.end() && known->second != tag) return false;
    return wanted.emplace(id, tag).first->second == tag;
  };
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!context.permuted[i]) continue;
    if (!want(node.inputs[i], perm)) return false;
    reached = reached || (!from_output && node.inputs[i] == via);
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (!want(node.outputs[i], context.outputs[i])) return false;
    reached = reached || (from_output && node.outputs[i] == via);
  }
  if (!reached) return false;
  for (auto& [id, tag] : wanted) {
    if (region.tags.emplace(id, tag).second) region.open.push_back(id);
  }
  region.nodes.emplace(index, std::move(context));
  return true;
}

RegionFinder::Region RegionFinder::grow(ValueId seed, const Perm& perm, Growth growth) const {
  Region region;
  region.tags.emplace(seed, perm);
  region.open.push_back(seed);
  while (!region.open.empty()) {
    const ValueId id = region.open.back();
    region.open.pop_back();
    const Perm tag = region.tags.at(id);
    if (is_identity(tag) || graph_.initializer(id) != nullptr) continue;
    if (growth != Growth::kUp) {
      for (const std::int32_t user : consumers_[static_cast<std::size_t>(id)])
        add_node(region, static_cast<std::size_t>(user), tag, false, id);
    }
    if (growth != Growth::kDown && producer(id) >= 0) add_node(region, static_cast<std::size_t>(producer(id)), tag, true, id);
  }
  return region;
}

bool RegionFinder::made_inside(const Region& region, ValueId id) const {
  return producer(id) >= 0 && region.nodes.contains(static_cast<std::size_t>(producer(id)));
}

RegionFinder::OutsideUses RegionFinder::uses_outside(const Region& region, ValueId id) const {
  OutsideUses uses{.transposes = {}, .others = is_output(id)};
  for (const std::int32_t user : consumers_[static_cast<std::size_t>(id)]) {
    const auto index = static_cast<std::size_t>(user);
    const auto inside = region.nodes.find(index);
    if (inside == region.nodes.end()) {
      if (transpose(index)) {
        uses.transposes.push_back(index);
      } else {
        uses.others = true;
      }
      continue;
    }
    // A node of the region may also read the value as it was, as a bound or a scale.
    const Node& node = graph_.nodes()[index];
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == id && !inside->second.permuted[i]) uses.others = true;
    }
  }
  return uses;
}

/// What transposes at this value cost before and after.
std::pair<Cost, Cost> RegionFinder::costs_of(const Region& region, ValueId id, const Perm& tag) const {
  Cost before;
  Cost after;
  const OutsideUses uses = uses_outside(region, id);
  if (made_inside(region, id)) {
    for (const std::size_t user : uses.transposes) {
      before += cost_of(id, *transpose(user));
      // Seen from the new value, whose transpose by `tag` this one is: the extents are the same, in another order.
      const Perm both = compose(tag, *transpose(user));
      after += is_identity(both) ? Cost{} : Cost{cost_of(id, *transpose(user)).elements, 1};
    }
    if (uses.others) after += cost_of(id, inverse(tag));
    return {before, after};
  }
  if (graph_.initializer(id) != nullptr) return {before, after};
  const bool stays = uses.others || !uses.transposes.empty();
  if (producer(id) >= 0 && transpose(static_cast<std::size_t>(producer(id)))) {
    const Node& maker = graph_.nodes()[static_cast<std::size_t>(producer(id))];
    const Perm& perm = *transpose(static_cast<std::size_t>(producer(id)));
    before += cost_of(maker.inputs[0], perm);
    if (stays) after += cost_of(maker.inputs[0], perm);
    after += cost_of(maker.inputs[0], compose(perm, inverse(tag)));
    return {before, after};
  }
  after += cost_of(id, inverse(tag));
  return {before, after};
}

std::pair<Cost, Cost> RegionFinder::costs(const Region& region) const {
  Cost before;
  Cost after;
  for (const auto& [id, tag] : region.tags) {
    if (is_identity(tag)) continue;
    const auto [one_before, one_after] = costs_of(region, id, tag);
    before += one_before;
    after += one_after;
  }
  return {before, after};
}

/// The transposed form of a value that is made outside of the region.
Result<ValueId> RegionFinder::bring_in(ValueId id, const Perm& tag, std::vector<Node>& added) {
  const Perm back = inverse(tag);
  const std::string name = graph_.value(id).name;
  if (const Tensor* constant = graph_.initializer(id)) {
    MORU_ASSIGN_OR_RETURN(Tensor moved, permuted(*constant, back));
    const ValueType type = permuted(graph_.value(id).type, back);
    const ValueId folded = graph_.add_initializer(graph_.unused_name(name), std::move(moved));
    graph_.set_type(folded, type);
    return folded;
  }
  ValueId from = id;
  Perm perm = back;
  bool tflite = !graph_.nodes().empty() && is_tflite(graph_.nodes().front());
  if (producer(id) >= 0 && transpose(static_cast<std::size_t>(producer(id)))) {
    const Node& maker = graph_.nodes()[static_cast<std::size_t>(producer(id))];
    perm = compose(*transpose(static_cast<std::size_t>(producer(id))), back);
    from = maker.inputs[0];
    if (is_identity(perm)) return from;
  }
  const ValueId to = graph_.add_value(graph_.unused_name(name), permuted(graph_.value(from).type, perm));
  added.push_back(make_transpose(graph_, tflite, from, to, perm));
  return to;
}

bool RegionFinder::commit(const Region& region, std::vector<std::pair<std::string, std::string>>& renames) {
  std::map<ValueId, ValueId> now;
  std::vector<Node> added;
  std::vector<std::pair<ValueId, ValueId>> aliases;  // an old value, and what is now the same
  const bool tflite = is_tflite(graph_.nodes().front());
  for (const auto& [id, tag] : region.tags) {
    if (is_identity(tag)) {
      now[id] = id;
      continue;
    }
    if (!made_inside(region, id)) {
      auto moved = bring_in(id, tag, added);
      if (!moved) return false;
      now[id] = *moved;
      continue;
    }
    const OutsideUses uses = uses_outside(region, id);
    // A graph output that is the new value gives it its name.
    ValueId made = kNoValue;
    for (const std::size_t user : uses.transposes) {
      const ValueId y = graph_.nodes()[user].outputs[0];
      if (made == kNoValue && is_output(y) && is_identity(compose(tag, *transpose(user)))) made = y;
    }
    if (made == kNoValue) {
      made = graph_.add_value(graph_.unused_name(graph_.value(id).name), permuted(graph_.value(id).type, inverse(tag)));
      if (!uses.others) renames.emplace_back(graph_.value(made).name, graph_.value(id).name);
    }
    now[id] = made;
    for (const std::size_t user : uses.transposes) {
      Node& node = graph_.nodes()[user];
      const ValueId y = node.outputs[0];
      const Perm both = compose(tag, *transpose(user));
      if (y == made) {
        node.outputs[0] = graph_.add_value(graph_.unused_name("unused"));
      } else if (is_identity(both) && !is_output(y)) {
        aliases.emplace_back(y, made);
      } else {
        node = make_transpose(graph_, is_tflite(node), made, y, both);
      }
    }
    if (uses.others) added.push_back(make_transpose(graph_, tflite, made, id, tag));
  }
  for (const auto& [index, context] : region.nodes) {
    Node node = context.node;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (context.permuted[i]) node.inputs[i] = now.at(node.inputs[i]);
    }
    for (const auto& [input, tensor] : context.constants) {
      const ValueType old = graph_.value(node.inputs[input]).type;
      const ValueId id = graph_.add_initializer(graph_.unused_name(graph_.value(node.inputs[input]).name), tensor);
      ValueType type = graph_.value(id).type;
      type.quantization = old.quantization;
      graph_.set_type(id, std::move(type));
      node.inputs[input] = id;
    }
    for (ValueId& id : node.outputs) {
      if (id != kNoValue) id = now.at(id);
    }
    graph_.nodes()[index] = std::move(node);
  }
  for (Node& node : added) graph_.nodes().push_back(std::move(node));
  for (const auto& [old, made] : aliases) graph_.replace_uses(old, made);
  sort_nodes(graph_);
  return true;
}

bool RegionFinder::try_region(ValueId seed, const Perm& perm, Growth growth, std::vector<std::pair<std::string, std::string>>& renames) {
  const Region region = grow(seed, perm, growth);
  if (region.nodes.empty()) return false;
  const auto [before, after] = costs(region);
  return after < before && commit(region, renames);
}

}  // namespace moru::model::layout
