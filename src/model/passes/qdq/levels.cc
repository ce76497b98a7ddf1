// SPDX-License-Identifier: Apache-2.0
// What works level by level: Add, Sub and Mul of two, what only moves levels, and tables.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "model/ops/op.h"
#include "model/passes/qdq/group.h"

namespace moru::model::qdq {
namespace {

constexpr std::size_t kMaxIsland = 64;

/// Ops whose output has, element by element, the values of their first input.
constexpr std::array<std::string_view, 10> kMoves = {"DepthToSpace", "Expand",       "Flatten", "MaxPool",   "Reshape",
                                                     "Slice",        "SpaceToDepth", "Squeeze", "Transpose", "Unsqueeze"};
/// Ops that work element by element, so that a chain of them is a function of one level.
constexpr std::array<std::string_view, 34> kElementWise = {
    "Abs",       "Add",      "Celu",      "Clip", "Cos",      "Div",      "Elu",  "Erf", "Exp",  "Floor",          "Gelu", "HardSigmoid",
    "HardSwish", "Identity", "LeakyRelu", "Log",  "Max",      "Min",      "Mish", "Mul", "Neg",  "PRelu",          "Pow",  "Reciprocal",
    "Relu",      "Selu",     "Sigmoid",   "Sin",  "Softplus", "Softsign", "Sqrt", "Sub", "Tanh", "ThresholdedRelu"};

bool is_one_of(std::span<const std::string_view> names, const Node& node) {
  return std::ranges::find(names, std::string_view(node.op)) != names.end();
}

bool is_same(const Levels& from, const Target& target) {
  return from.dtype == target.to.dtype && from.scale == target.to.scale && from.zero == target.to.zero && !target.is_bounded();
}

/// A table from integers, which fit its type.
Tensor table_of(DType dtype, const std::array<std::int32_t, 256>& levels) {
  Tensor table = Tensor::create(dtype, {256}).value();
  std::ranges::transform(levels, table.mutable_bytes().begin(), [](std::int32_t level) { return static_cast<std::byte>(level & 0xFF); });
  return table;
}

/// Each level of `from` in the target's scale, as DequantizeLinear and QuantizeLinear give it.
Tensor rescaling(const Levels& from, const Target& target) {
  std::array<std::int32_t, 256> levels{};
  for (std::int32_t i = 0; i < 256; ++i) {
    levels[static_cast<std::size_t>(i)] = target.level_of(static_cast<float>(from.least() + i - from.zero) * from.scale);
  }
  return table_of(target.to.dtype, levels);
}

Node look_up(const Context& context, const Target& target, ValueId x, Tensor table) {
  Node node = make_node("QTable", target, {x, context.constant(target, "table", std::move(table))});
  node.attributes.clear();  // the bounds are in the table
  return node;
}

std::vector<Node> fuse_concat(const Context& context, const Target& target, const Node& concat) {
  std::vector<Levels> inputs;
  for (const ValueId id : concat.inputs) {
    const auto levels = context.levels_behind(id);
    if (!levels) return {};
    inputs.push_back(*levels);
  }
  std::vector<Node> nodes;
  Node joined = concat;
  joined.outputs = {target.to.levels};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    joined.inputs[i] = inputs[i].levels;
    if (is_same(inputs[i], target)) continue;
    Node node = look_up(context, target, inputs[i].levels, rescaling(inputs[i], target));
    node.outputs = {context.intermediate(target)};
    joined.inputs[i] = node.outputs[0];
    nodes.push_back(std::move(node));
  }
  nodes.push_back(std::move(joined));
  return nodes;
}

/// The nodes between one tensor of levels and a QuantizeLinear, in order.
class Island {
 public:
  explicit Island(const Context& context) : context_(context) {}

  /// Collects what makes `id`; false when that is more than a function of one level.
  bool collect(ValueId id) {
    if (const Tensor* constant = context_.graph().initializer(id)) return constant->count() == 1;
    if (seen_.contains(id)) return true;
    const Node* node = context_.producer(id);
    if (node == nullptr || nodes_.size() >= kMaxIsland) return false;
    if (const auto levels = context_.levels_behind(id)) {
      if (source_ && (source_->levels != levels->levels)) return false;
      source_ = *levels;
    } else {
      if (!is_one_of(kElementWise, *node) || node->outputs.size() != 1) return false;
      seen_.emplace(id, true);  // ends a walk in circles, which verify() excludes anyway
      for (const ValueId input : node->inputs) {
        if (input != kNoValue && !collect(input)) return false;
      }
    }
    seen_.insert_or_assign(id, true);
    nodes_.push_back(node);
    return true;
  }

  const std::optional<Levels>& source() const { return source_; }

  /// What QuantizeLinear gives for each of the 256 levels, by the ops' references; nothing when one has none.
  std::optional<Tensor> evaluate(const Node& quantize) const {
    Graph graph;
    graph.opset = context_.graph().opset;
    std::array<std::int32_t, 256> all{};
    for (std::int32_t i = 0; i < 256; ++i) all[static_cast<std::size_t>(i)] = source_->least() + i;
    ids_.emplace(source_->levels, graph.add_initializer("levels", table_of(source_->dtype, all)));
    for (const Node* node : nodes_) copy(*node, graph);
    copy(quantize, graph);
    graph.outputs = {ids_.at(quantize.outputs[0])};
    auto outputs = model::evaluate(graph, {});
    if (!outputs || outputs->front().count() != 256) return std::nullopt;
    return outputs->front().reshaped({256});
  }

 private:
  void copy(const Node& node, Graph& graph) const {
    Node made = node;
    for (ValueId& id : made.inputs) {
      if (id == kNoValue) continue;
      const auto [it, is_new] = ids_.emplace(id, kNoValue);
      if (is_new) it->second = graph.add_initializer(graph.unused_name("constant"), *context_.graph().initializer(id));
      id = it->second;
    }
    for (ValueId& id : made.outputs) {
      const ValueId value = graph.add_value(graph.unused_name("value"));
      ids_.insert_or_assign(id, value);
      id = value;
    }
    graph.nodes().push_back(std::move(made));
  }

  const Context& context_;
  std::optional<Levels> source_;
  std::vector<const Node*> nodes_;
  std::map<ValueId, bool> seen_;
  mutable std::map<ValueId, ValueId> ids_;
};

std::optional<std::size_t> rank_of(const Graph& graph, ValueId id) {
  const auto& shape = graph.value(id).type.shape;
  return shape ? std::optional(shape->size()) : std::nullopt;
}

}  // namespace

std::vector<Node> fuse_pair(const Context& context, const Target& target) {
  const Node* node = context.producer(target.from);
  if (node == nullptr || !context.has_one_use(target.from) || (node->op != "Add" && node->op != "Sub" && node->op != "Mul")) return {};
  const auto a = context.levels_behind(node->inputs[0]);
  const auto b = context.levels_behind(node->inputs[1]);
  if (!a || !b) return {};
  const auto factor = [&](double scale) { return static_cast<float>(scale / static_cast<double>(target.to.scale)); };
  std::vector<Node> made;
  if (node->op == "Mul") {
    const float both = factor(static_cast<double>(a->scale) * static_cast<double>(b->scale));
    if (!std::isfinite(both)) return {};
    made.push_back(make_node("QMul", target,
                             {a->levels, context.zero_of(*a), b->levels, context.zero_of(*b),
                              context.constant(target, "factor", Tensor::scalar(both)), context.zero_of(target.to)}));
  } else {
    const float left = factor(static_cast<double>(a->scale));
    const float right = factor(static_cast<double>(b->scale));
    if (!std::isfinite(left) || !std::isfinite(right)) return {};
    made.push_back(make_node(
        "QAdd", target,
        {a->levels, context.zero_of(*a), context.constant(target, "a_factor", Tensor::scalar(left)), b->levels, context.zero_of(*b),
         context.constant(target, "b_factor", Tensor::scalar(node->op == "Sub" ? -right : right)), context.zero_of(target.to)}));
  }
  made.back().name = node->name;
  return made;
}

std::vector<Node> fuse_moves(const Context& context, const Target& target) {
  const Node* node = context.producer(target.from);
  if (node == nullptr || !context.has_one_use(target.from) || node->outputs.size() != 1) return {};
  if (node->op == "Concat") return fuse_concat(context, target, *node);
  if (!is_one_of(kMoves, *node)) return {};
  const auto from = context.levels_behind(node->inputs[0]);
  if (!from) return {};
  Node moved = *node;
  moved.inputs[0] = from->levels;
  if (is_same(*from, target)) {
    moved.outputs = {target.to.levels};
    return {std::move(moved)};
  }
  moved.outputs = {context.intermediate(target)};
  Node table = look_up(context, target, moved.outputs[0], rescaling(*from, target));
  return {std::move(moved), std::move(table)};
}

std::vector<Node> fuse_table(const Context& context, const Node& quantize) {
  const auto target = context.target_of(quantize);
  Island island(context);
  if (!target || !island.collect(quantize.inputs[0]) || !island.source()) return {};
  // A constant of a higher rank would have changed the shape.
  const auto rank = rank_of(context.graph(), quantize.outputs[0]);
  if (!rank || rank != rank_of(context.graph(), island.source()->levels)) return {};
  auto table = island.evaluate(quantize);
  if (!table) return {};
  return {look_up(context, *target, island.source()->levels, std::move(*table))};
}

}  // namespace moru::model::qdq
