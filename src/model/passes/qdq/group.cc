// SPDX-License-Identifier: Apache-2.0
#include "model/passes/qdq/group.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/ops/support/quantization.h"

namespace moru::model::qdq {
namespace {

bool is_byte(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUInt8; }

ValueId input_of(const Node& node, std::size_t index) { return index < node.inputs.size() ? node.inputs[index] : kNoValue; }

bool is_scale(float scale) { return std::isfinite(scale) && scale > 0; }

/// The one element of a constant float32; nothing for others.
std::optional<float> single_float(const Graph& graph, ValueId id) {
  const Tensor* tensor = id == kNoValue ? nullptr : graph.initializer(id);
  if (tensor == nullptr || tensor->dtype() != DType::kFloat32 || tensor->count() != 1 || tensor->rank() > 1) return std::nullopt;
  return tensor->data<float>()[0];
}

/// Constant integers as int32, at most `most` of them.
std::optional<std::vector<std::int32_t>> constant_levels(const Graph& graph, ValueId id, std::int64_t most) {
  const Tensor* tensor = graph.initializer(id);
  if (tensor == nullptr || tensor->rank() > 1 || tensor->count() > most) return std::nullopt;
  if (!is_byte(tensor->dtype()) && tensor->dtype() != DType::kInt32) return std::nullopt;
  const auto wide = ops::levels_as_int32(*tensor);
  if (!wide) return std::nullopt;
  const auto values = wide->data<std::int32_t>();
  return std::vector<std::int32_t>(values.begin(), values.end());
}

/// Neither blocks nor a type that the zero point does not say.
bool is_plain(const Node& node) {
  return !node.attributes.contains("block_size") && !node.attributes.contains("output_dtype") && !node.attributes.contains("precision");
}

/// A bound that a Clip puts on reals; `usual` when it is left out, nothing when it is not constant.
std::optional<float> bound(const Graph& graph, const Node& clip, std::size_t index, float usual) {
  const ValueId id = input_of(clip, index);
  if (id == kNoValue) return usual;
  const auto value = single_float(graph, id);
  return value && !std::isnan(*value) ? value : std::nullopt;
}

}  // namespace

std::int64_t Levels::reach() const {
  return std::max(std::abs(std::int64_t{least()} - zero), std::abs(std::int64_t{least()} + 255 - zero));
}

std::int32_t Target::level_of(float real) const {
  const float level = std::nearbyint(real / to.scale) + static_cast<float>(to.zero);
  return static_cast<std::int32_t>(std::clamp(level, static_cast<float>(low), static_cast<float>(high)));
}

Context::Context(Graph& graph) : graph_(graph), producers_(graph.producers()), consumers_(graph.consumers()) {}

const Node* Context::producer(ValueId id) const {
  const auto at = static_cast<std::size_t>(id);
  if (id == kNoValue || at >= producers_.size() || producers_[at] < 0) return nullptr;
  const Node& node = graph_.nodes()[static_cast<std::size_t>(producers_[at])];
  return node.domain.empty() ? &node : nullptr;
}

bool Context::has_one_use(ValueId id) const {
  return consumers_[static_cast<std::size_t>(id)].size() == 1 && std::ranges::find(graph_.outputs, id) == graph_.outputs.end();
}

std::optional<Levels> Context::constants_of(const Node& node, DType dtype) const {
  const auto scale = single_float(graph_, input_of(node, 1));
  if (!is_byte(dtype) || !is_plain(node) || !scale || !is_scale(*scale)) return std::nullopt;
  Levels levels{.levels = kNoValue, .dtype = dtype, .scale = *scale, .zero = 0};
  if (input_of(node, 2) == kNoValue) return levels;
  const auto zero = constant_levels(graph_, node.inputs[2], 1);
  if (!zero || zero->empty()) return std::nullopt;
  levels.zero = zero->front();
  levels.zero_value = node.inputs[2];
  return levels;
}

std::optional<Levels> Context::levels_behind(ValueId id) const {
  const Node* node = producer(id);
  if (node == nullptr || node->op != "DequantizeLinear") return std::nullopt;
  const auto dtype = graph_.value(node->inputs[0]).type.dtype;
  if (!dtype) return std::nullopt;
  auto levels = constants_of(*node, *dtype);
  if (levels) levels->levels = node->inputs[0];
  return levels;
}

std::optional<Weights> Context::weights_behind(ValueId id, std::size_t axis) const {
  const Node* node = producer(id);
  if (node == nullptr || node->op != "DequantizeLinear" || !is_plain(*node)) return std::nullopt;
  const Tensor* levels = graph_.initializer(node->inputs[0]);
  const Tensor* scale = graph_.initializer(node->inputs[1]);
  if (levels == nullptr || scale == nullptr || !is_byte(levels->dtype()) || scale->dtype() != DType::kFloat32) return std::nullopt;
  if (axis >= levels->rank() || levels->count() == 0 || scale->rank() > 1) return std::nullopt;
  const auto given = int_attribute(*node, "axis", 1);
  if (!given) return std::nullopt;
  const auto at = *given < 0 ? *given + std::ssize(levels->dims()) : *given;
  if (scale->count() != 1 && (at != static_cast<std::int64_t>(axis) || scale->count() != levels->dims()[axis])) return std::nullopt;
  Weights weights{.levels = *levels, .scales = {}, .zeros = {0}, .value = node->inputs[0], .zero_value = input_of(*node, 2)};
  weights.scales.assign(scale->data<float>().begin(), scale->data<float>().end());
  if (!std::ranges::all_of(weights.scales, is_scale)) return std::nullopt;
  if (weights.zero_value == kNoValue) return weights;
  const auto zeros = constant_levels(graph_, weights.zero_value, levels->dims()[axis]);
  if (!zeros || zeros->empty()) return std::nullopt;
  weights.zeros = *zeros;
  return weights;
}

std::optional<Target> Context::target_of(const Node& quantize) const {
  const auto dtype = graph_.value(quantize.outputs[0]).type.dtype;
  if (!dtype) return std::nullopt;
  const auto to = constants_of(quantize, *dtype);
  if (!to) return std::nullopt;
  Target target{.to = *to, .low = to->least(), .high = to->least() + 255, .from = quantize.inputs[0]};
  target.to.levels = quantize.outputs[0];
  const Target whole = target;
  // Rounding never changes the order of two reals: bounds on reals are bounds on levels.
  for (const Node* node = producer(target.from); node != nullptr && has_one_use(target.from); node = producer(target.from)) {
    std::optional<float> low = -std::numeric_limits<float>::infinity();
    std::optional<float> high = std::numeric_limits<float>::infinity();
    if (node->op == "Relu") {
      low = 0.0F;
    } else if (node->op == "Clip") {
      low = bound(graph_, *node, 1, *low);
      high = bound(graph_, *node, 2, *high);
    } else if (node->op != "Identity") {
      break;
    }
    if (!low || !high) break;
    const std::int32_t new_low = std::max(target.low, whole.level_of(*low));
    const std::int32_t new_high = std::min(target.high, whole.level_of(*high));
    if (new_low > new_high) break;
    target.low = new_low;
    target.high = new_high;
    target.from = node->inputs[0];
  }
  return target;
}

std::optional<std::vector<std::int32_t>> Context::bias_behind(ValueId id, std::span<const double> steps) const {
  std::vector<std::int32_t> bias;
  const Node* node = producer(id);
  const Tensor* reals = graph_.initializer(id);
  std::vector<std::int32_t> levels;
  std::vector<float> scales;
  if (node != nullptr && node->op == "DequantizeLinear" && is_plain(*node)) {
    const Tensor* stored = graph_.initializer(node->inputs[0]);
    const Tensor* scale = graph_.initializer(node->inputs[1]);
    const auto zero = input_of(*node, 2) == kNoValue ? std::vector<std::int32_t>{0}
                                                     : constant_levels(graph_, node->inputs[2], std::ssize(steps)).value_or(std::vector{1});
    if (stored == nullptr || stored->dtype() != DType::kInt32 || scale == nullptr || scale->dtype() != DType::kFloat32) return std::nullopt;
    if (scale->rank() > 1 || std::ranges::any_of(zero, [](std::int32_t z) { return z != 0; })) return std::nullopt;
    levels.assign(stored->data<std::int32_t>().begin(), stored->data<std::int32_t>().end());
    scales.assign(scale->data<float>().begin(), scale->data<float>().end());
    if (levels.size() != steps.size() || (scales.size() != 1 && scales.size() != steps.size())) return std::nullopt;
  } else if (reals == nullptr || reals->dtype() != DType::kFloat32 || reals->rank() == 0 || reals->count() != std::ssize(steps) ||
             reals->dims().back() != reals->count()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    double value = 0;
    if (levels.empty()) {
      value = static_cast<double>(reals->data<float>()[i]) / steps[i];
    } else {
      const auto scale = static_cast<double>(scales[scales.size() == 1 ? 0 : i]);
      // A scale of float32 is the product of two others but for its own rounding.
      const bool same = std::abs(scale - steps[i]) <= steps[i] * 0x1p-22;
      value = same ? static_cast<double>(levels[i]) : static_cast<double>(levels[i]) * scale / steps[i];
    }
    value = std::nearbyint(value);
    if (!(std::abs(value) < 0x1p31)) return std::nullopt;
    bias.push_back(static_cast<std::int32_t>(value));
  }
  return bias;
}

ValueId Context::zero_of(const Levels& levels) const {
  if (levels.zero_value != kNoValue) return levels.zero_value;
  const Tensor zero = levels.dtype == DType::kInt8 ? Tensor::scalar(std::int8_t{0}) : Tensor::scalar(std::uint8_t{0});
  return graph_.add_initializer(graph_.unused_name(graph_.value(levels.levels).name + "_zero"), zero);
}

ValueId Context::zero_of(const Weights& weights) const {
  if (weights.zero_value != kNoValue) return weights.zero_value;
  return zero_of(Levels{.levels = weights.value, .dtype = weights.levels.dtype()});
}

ValueId Context::constant(const Target& target, std::string_view stem, Tensor tensor) const {
  return graph_.add_initializer(graph_.unused_name(graph_.value(target.to.levels).name + "_" + std::string(stem)), std::move(tensor));
}

ValueId Context::intermediate(const Target& target) const {
  return graph_.add_value(graph_.unused_name(graph_.value(target.to.levels).name + "_before"));
}

Node make_node(std::string_view op, const Target& target, std::vector<ValueId> inputs) {
  Node node{
      .name = {}, .op = std::string(op), .domain = "moru", .inputs = std::move(inputs), .outputs = {target.to.levels}, .attributes = {}};
  if (target.low != target.to.least()) node.attributes.emplace("low", std::int64_t{target.low});
  if (target.high != target.to.least() + 255) node.attributes.emplace("high", std::int64_t{target.high});
  return node;
}

}  // namespace moru::model::qdq
