// SPDX-License-Identifier: Apache-2.0
#include "model/targets/facts.h"

#include <algorithm>

namespace moru::model::targets {
namespace {

bool is(const Node& node, std::string_view op) { return node.domain.empty() && node.op == op; }

std::vector<std::int64_t> ints_or(const Node& node, std::string_view name, const std::vector<std::int64_t>& fallback) {
  return ints_attribute(node, name, fallback).value_or(fallback);
}

/// Height and width of a TFLite op.
std::vector<std::int64_t> pair_of(const Node& node, std::string_view height, std::string_view width) {
  std::vector<std::int64_t> both;
  for (const std::string_view name : {height, width}) {
    if (node.attributes.contains(name)) both.push_back(int_attribute(node, name, 1).value_or(1));
  }
  return both;
}

std::vector<std::int64_t> extents(const ValueType& type, std::size_t from, std::size_t count) {
  std::vector<std::int64_t> known;
  if (!type.shape || type.shape->size() < from + count) return known;
  for (std::size_t i = from; i < from + count; ++i) {
    if ((*type.shape)[i].known()) known.push_back((*type.shape)[i].value);
  }
  return known;
}

}  // namespace

std::string op_name(const Node& node) { return node.domain.empty() || node.domain == "tflite" ? node.op : node.domain + "." + node.op; }

Facts::Facts(const Graph& graph)
    : graph_(graph), producers_(graph.producers()), consumers_(graph.consumers()), is_output_(graph.value_count(), false) {
  for (const ValueId id : graph.outputs) is_output_[static_cast<std::size_t>(id)] = true;
}

bool Facts::is_border(const Node& node) { return is(node, "QuantizeLinear") || is(node, "DequantizeLinear"); }

const Node* Facts::producer(ValueId id) const {
  const std::int32_t index = producers_[static_cast<std::size_t>(id)];
  return index < 0 ? nullptr : &graph_.nodes()[static_cast<std::size_t>(index)];
}

const Node* Facts::quantizer(ValueId id) const {
  for (;;) {  // it goes forward: a graph has no cycles
    const auto& users = consumers_[static_cast<std::size_t>(id)];
    if (users.empty() || is_output_[static_cast<std::size_t>(id)]) return nullptr;
    const Node& first = graph_.nodes()[static_cast<std::size_t>(users.front())];
    if (is(first, "QuantizeLinear") && first.inputs[0] == id) {
      const bool all = std::ranges::all_of(
          users, [&](std::int32_t user) { return is(graph_.nodes()[static_cast<std::size_t>(user)], "QuantizeLinear"); });
      return all ? &first : nullptr;
    }
    if (users.size() > 1 || !(is(first, "Relu") || is(first, "Clip")) || first.inputs[0] != id) return nullptr;
    id = first.outputs[0];
  }
}

std::optional<DType> Facts::dtype(ValueId id) const {
  const auto& raw = graph_.value(id).type.dtype;
  if (const Node* node = producer(id); node != nullptr && is(*node, "DequantizeLinear")) return graph_.value(node->inputs[0]).type.dtype;
  if (const Node* node = quantizer(id)) return graph_.value(node->outputs[0]).type.dtype;
  return raw;
}

bool Facts::is_constant(ValueId id) const {
  if (graph_.initializer(id) != nullptr) return true;
  const Node* node = producer(id);
  return node != nullptr && is(*node, "DequantizeLinear") && graph_.initializer(node->inputs[0]) != nullptr;
}

std::optional<Quantization> Facts::parameters(const Node& border) const {
  Quantization out;
  const Tensor* scales = border.inputs.size() > 1 ? graph_.initializer(border.inputs[1]) : nullptr;
  if (scales == nullptr) return std::nullopt;
  out.scales.resize(static_cast<std::size_t>(scales->count()));
  out.axis = static_cast<std::int32_t>(int_attribute(border, "axis", 1).value_or(1));
  const Tensor* zeros = border.inputs.size() > 2 && border.inputs[2] != kNoValue ? graph_.initializer(border.inputs[2]) : nullptr;
  if (zeros == nullptr) return out;
  visit_element_type(zeros->dtype(), [&]<class T>() {
    if constexpr (std::is_integral_v<T>) {
      for (const T zero : zeros->data<T>()) out.zero_points.push_back(static_cast<std::int64_t>(zero));
    }
  });
  return out;
}

std::optional<Quantization> Facts::quantization(ValueId id) const {
  const Value& value = graph_.value(id);
  if (value.type.quantization) return value.type.quantization;
  if (const Node* node = producer(id); node != nullptr && is_border(*node)) return parameters(*node);
  if (const Node* node = quantizer(id)) return parameters(*node);
  for (const std::int32_t user : consumers_[static_cast<std::size_t>(id)]) {
    const Node& node = graph_.nodes()[static_cast<std::size_t>(user)];
    if (is(node, "DequantizeLinear") && node.inputs[0] == id) return parameters(node);
  }
  return std::nullopt;
}

std::optional<std::vector<std::int64_t>> Facts::ints(const Node& node, std::size_t input) const {
  const Tensor* tensor = input < node.inputs.size() && node.inputs[input] != kNoValue ? graph_.initializer(node.inputs[input]) : nullptr;
  if (tensor == nullptr) return std::nullopt;
  std::vector<std::int64_t> out;
  if (tensor->dtype() == DType::kInt64) {
    for (const std::int64_t value : tensor->data<std::int64_t>()) out.push_back(value);
  } else if (tensor->dtype() == DType::kInt32) {
    for (const std::int32_t value : tensor->data<std::int32_t>()) out.push_back(value);
  } else {
    return std::nullopt;
  }
  return out;
}

Window Facts::window(const Node& node) const {
  Window window;
  const auto input_type = [&](std::size_t i) {
    return i < node.inputs.size() && node.inputs[i] != kNoValue ? graph_.value(node.inputs[i]).type : ValueType{};
  };
  if (node.domain == "tflite") {
    window.kernel = pair_of(node, "filter_height", "filter_width");
    if (node.op == "CONV_2D" || node.op == "DEPTHWISE_CONV_2D" || node.op == "TRANSPOSE_CONV") window.kernel = extents(input_type(1), 1, 2);
    window.strides =
        node.op == "STRIDED_SLICE" ? ints(node, 3).value_or(std::vector<std::int64_t>()) : pair_of(node, "stride_h", "stride_w");
    window.dilations = pair_of(node, "dilation_h_factor", "dilation_w_factor");
    return window;
  }
  window.kernel = ints_or(node, "kernel_shape", {});
  const bool convolves = is(node, "Conv") || is(node, "ConvTranspose");
  if (const ValueType weights = input_type(1); window.kernel.empty() && convolves && weights.shape && weights.shape->size() > 2)
    window.kernel = extents(weights, 2, weights.shape->size() - 2);
  window.strides = is(node, "Slice") ? ints(node, 4).value_or(std::vector<std::int64_t>()) : ints_or(node, "strides", {});
  window.dilations = ints_or(node, "dilations", {});
  return window;
}

bool Facts::touches_batch(const Node& node) const {
  const auto rank_of = [&](std::size_t i) -> std::int64_t {
    if (i >= node.inputs.size() || node.inputs[i] == kNoValue || !graph_.value(node.inputs[i]).type.shape) return 0;
    return std::ssize(*graph_.value(node.inputs[i]).type.shape);
  };
  const auto first_of = [](const std::vector<std::int64_t>& axes, std::int64_t rank) {
    return std::ranges::any_of(axes, [&](std::int64_t axis) { return axis == 0 || axis == -rank; });
  };
  if (node.domain == "tflite") {
    if (node.op == "PAD" || node.op == "PADV2" || node.op == "MIRROR_PAD") {
      const auto pads = ints(node, 1);
      return pads && pads->size() >= 2 && ((*pads)[0] != 0 || (*pads)[1] != 0);
    }
    if (node.op == "PACK") return first_of({int_attribute(node, "axis", 0).value_or(0)}, rank_of(0) + 1);
    if (node.op == "SPLIT") return first_of(ints(node, 0).value_or(std::vector<std::int64_t>()), rank_of(1));
    const bool reduces = node.op == "MEAN" || node.op == "SUM" || node.op.starts_with("REDUCE_");
    return reduces && first_of(ints(node, 1).value_or(std::vector<std::int64_t>()), rank_of(0));
  }
  if (!node.domain.empty()) return false;
  if (node.op == "Split") return first_of({int_attribute(node, "axis", 0).value_or(0)}, rank_of(0));
  return node.op.starts_with("Reduce") && first_of(ints(node, 1).value_or(std::vector<std::int64_t>()), rank_of(0));
}

}  // namespace moru::model::targets
