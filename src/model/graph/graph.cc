// SPDX-License-Identifier: Apache-2.0
#include "model/graph/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/check.h"

namespace moru::model {
namespace {

constexpr std::array<std::string_view, std::variant_size_v<Attribute>> kAttributeKinds = {"an int", "a float", "a string", "ints",
                                                                                          "floats", "strings", "a tensor", "a graph"};

template <class T>
Result<T> typed_attribute(const Node& node, std::string_view name, T fallback, std::string_view expected) {
  const auto it = node.attributes.find(name);
  if (it == node.attributes.end()) return fallback;
  if (const T* value = std::get_if<T>(&it->second)) return *value;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("attribute '{}': found {}, expected {}", name, kAttributeKinds[it->second.index()], expected));
}

std::vector<std::int32_t> producers_of(const std::vector<Node>& nodes, std::size_t value_count) {
  std::vector<std::int32_t> result(value_count, -1);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const ValueId id : nodes[i].outputs) {
      if (id != kNoValue) result[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(i);
    }
  }
  return result;
}

}  // namespace

std::string to_string(const SymbolicShape& shape) {
  std::string text = "[";
  for (const Dim& dim : shape) {
    if (text.size() > 1) text += ", ";
    if (dim.known()) {
      text += fmt::format("{}", dim.value);
    } else {
      text += dim.symbol.empty() ? "?" : dim.symbol;
    }
  }
  return text + "]";
}

ValueId Graph::add_value(std::string value_name, ValueType type) {
  const auto id = static_cast<ValueId>(values_.size());
  const bool is_new = by_name_.emplace(value_name, id).second;
  MORU_CHECK(is_new);
  values_.push_back({std::move(value_name), std::move(type)});
  return id;
}

std::string Graph::unused_name(std::string_view stem) const {
  const std::string_view base = stem.empty() ? "value" : stem;
  if (!by_name_.contains(base)) return std::string(base);
  const auto numbered = [&](std::size_t number) { return fmt::format("{}_{}", base, number); };
  // Doubles to a free number, then halves the gap to the last taken one, so that thousands of names of one stem cost little.
  std::size_t taken = 0;
  std::size_t free = 1;
  while (by_name_.contains(numbered(free))) {
    taken = free;
    free *= 2;
  }
  while (free - taken > 1) {
    const std::size_t middle = taken + (free - taken) / 2;
    (by_name_.contains(numbered(middle)) ? taken : free) = middle;
  }
  return numbered(free);
}

std::optional<ValueId> Graph::find_value(std::string_view value_name) const {
  const auto it = by_name_.find(value_name);
  if (it == by_name_.end()) return std::nullopt;
  return it->second;
}

void Graph::rename(ValueId id, std::string new_name) {
  Value& value = values_[static_cast<std::size_t>(id)];
  if (value.name == new_name) return;
  const bool is_new = by_name_.emplace(new_name, id).second;
  MORU_CHECK(is_new);
  by_name_.erase(value.name);
  value.name = std::move(new_name);
}

ValueId Graph::add_initializer(std::string value_name, Tensor tensor) {
  const ValueId id = add_value(std::move(value_name));
  set_initializer(id, std::move(tensor));
  return id;
}

void Graph::set_initializer(ValueId id, Tensor tensor) {
  SymbolicShape shape;
  for (const std::int64_t dim : tensor.dims()) shape.push_back({dim, {}});
  set_type(id, {tensor.dtype(), std::move(shape), value(id).type.quantization});
  initializers_.insert_or_assign(id, std::move(tensor));
}

const Tensor* Graph::initializer(ValueId id) const {
  const auto it = initializers_.find(id);
  return it == initializers_.end() ? nullptr : &it->second;
}

std::vector<std::int32_t> Graph::producers() const { return producers_of(nodes_, values_.size()); }

std::vector<std::vector<std::int32_t>> Graph::consumers() const {
  std::vector<std::vector<std::int32_t>> result(values_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    for_each_use(nodes_[i], [&](ValueId id) { result[static_cast<std::size_t>(id)].push_back(static_cast<std::int32_t>(i)); });
  }
  return result;
}

void Graph::replace_uses(ValueId from, ValueId to) {
  for (Node& node : nodes_) {
    for_each_use(node, [&](ValueId& id) {
      if (id == from) id = to;
    });
  }
  std::ranges::replace(outputs, from, to);
}

void Graph::remove_unused() {
  std::vector<bool> used(values_.size(), false);
  std::vector<bool> live(nodes_.size(), false);
  const auto producer = producers();
  std::vector<ValueId> open(outputs);
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    if (id == kNoValue || used[static_cast<std::size_t>(id)]) continue;
    used[static_cast<std::size_t>(id)] = true;
    const std::int32_t node = producer[static_cast<std::size_t>(id)];
    if (node < 0 || live[static_cast<std::size_t>(node)]) continue;
    live[static_cast<std::size_t>(node)] = true;
    for_each_use(nodes_[static_cast<std::size_t>(node)], [&](ValueId needed) { open.push_back(needed); });
  }
  // What callers give and see stays, and so does each output of a live node: its place in the list means something.
  for (const ValueId id : inputs) used[static_cast<std::size_t>(id)] = true;
  std::vector<Node> kept;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!live[i]) continue;
    for (const ValueId id : nodes_[i].outputs) {
      if (id != kNoValue) used[static_cast<std::size_t>(id)] = true;
    }
    kept.push_back(std::move(nodes_[i]));
  }
  nodes_ = std::move(kept);

  std::vector<ValueId> renumbered(values_.size(), kNoValue);
  std::vector<Value> values;
  std::map<ValueId, Tensor> initializers;
  by_name_.clear();
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (!used[i]) continue;
    const auto id = static_cast<ValueId>(values.size());
    renumbered[i] = id;
    by_name_.emplace(values_[i].name, id);
    values.push_back(std::move(values_[i]));
    if (const auto it = initializers_.find(static_cast<ValueId>(i)); it != initializers_.end())
      initializers.emplace(id, std::move(it->second));
  }
  values_ = std::move(values);
  initializers_ = std::move(initializers);
  const auto renumber = [&](std::vector<ValueId>& ids) {
    for (ValueId& id : ids) {
      if (id != kNoValue) id = renumbered[static_cast<std::size_t>(id)];
    }
  };
  renumber(inputs);
  renumber(outputs);
  for (Node& node : nodes_) {
    for_each_use(node, [&](ValueId& id) { id = renumbered[static_cast<std::size_t>(id)]; });
    renumber(node.outputs);
  }
}

std::string describe(const Graph& graph, std::size_t node_index) {
  const Node& node = graph.nodes()[node_index];
  if (node.name.empty()) return fmt::format("node {} ({})", node_index, node.op);
  return fmt::format("node {} ({} '{}')", node_index, node.op, node.name);
}

Result<std::int64_t> int_attribute(const Node& node, std::string_view name, std::int64_t fallback) {
  return typed_attribute(node, name, fallback, "an int");
}
Result<float> float_attribute(const Node& node, std::string_view name, float fallback) {
  return typed_attribute(node, name, fallback, "a float");
}
Result<std::string> string_attribute(const Node& node, std::string_view name, std::string fallback) {
  return typed_attribute(node, name, std::move(fallback), "a string");
}
Result<std::vector<std::int64_t>> ints_attribute(const Node& node, std::string_view name, std::vector<std::int64_t> fallback) {
  return typed_attribute(node, name, std::move(fallback), "ints");
}

}  // namespace moru::model
