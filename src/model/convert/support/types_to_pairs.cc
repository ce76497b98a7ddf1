// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "model/convert/quantized.h"
#include "model/passes/layout/permutation.h"

namespace moru::model::convert {
namespace {

template <class T>
Tensor points_of(const Dims& dims, const std::vector<std::int64_t>& points) {
  const std::vector<T> values(points.begin(), points.end());
  return Tensor::of<T>(dims, values);
}

/// ONNX has no dequantisation of int64, TFLite's type of biases beside int16.
Status narrow_bias(Graph& graph, ValueId id) {
  const Tensor* tensor = graph.initializer(id);
  if (tensor == nullptr || tensor->dtype() != DType::kInt64) return {};
  std::vector<std::int32_t> narrow;
  for (const std::int64_t value : tensor->data<std::int64_t>()) {
    if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max()) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("constant '{}': found {}, expected a bias that fits int32, since ONNX dequantises no int64",
                              graph.value(id).name, value));
    }
    narrow.push_back(static_cast<std::int32_t>(value));
  }
  ValueType type = graph.value(id).type;
  type.dtype = DType::kInt32;
  const Dims dims = tensor->dims();
  graph.set_initializer(id, Tensor::of<std::int32_t>(dims, narrow));
  graph.set_type(id, std::move(type));
  return {};
}

class Expander {
 public:
  explicit Expander(Graph& graph) : graph_(graph) {}

  Status run() {
    const auto count = static_cast<ValueId>(graph_.value_count());
    const auto consumers = graph_.consumers();
    const auto producers = graph_.producers();
    for (ValueId id = 0; id < count; ++id) {
      if (!graph_.value(id).type.quantization) continue;
      MORU_RETURN_IF_ERROR(narrow_bias(graph_, id));
      MORU_RETURN_IF_ERROR(expand(id, producers[static_cast<std::size_t>(id)], consumers[static_cast<std::size_t>(id)]));
    }
    for (Node& node : added_) graph_.nodes().push_back(std::move(node));
    layout::sort_nodes(graph_);
    return {};
  }

 private:
  Status expand(ValueId id, std::int32_t producer, const std::vector<std::int32_t>& users) {
    const Value value = graph_.value(id);
    const Quantization quantization = *value.type.quantization;
    ValueType stored = value.type;
    stored.quantization.reset();
    graph_.set_type(id, stored);
    ValueType real = stored;
    real.dtype = DType::kFloat32;
    std::vector<ValueId> parameters;
    Attributes attributes;
    MORU_RETURN_IF_ERROR(add_parameters(value, quantization, parameters, attributes));
    const auto with = [&](ValueId first) {
      std::vector<ValueId> inputs{first};
      inputs.insert(inputs.end(), parameters.begin(), parameters.end());
      return inputs;
    };
    if (producer >= 0) {
      const ValueId made = graph_.add_value(graph_.unused_name(value.name), real);
      std::ranges::replace(graph_.nodes()[static_cast<std::size_t>(producer)].outputs, id, made);
      added_.push_back({.name = {}, .op = "QuantizeLinear", .domain = {}, .inputs = with(made), .outputs = {id}, .attributes = attributes});
    }
    if (users.empty()) return {};
    const ValueId used = graph_.add_value(graph_.unused_name(value.name), real);
    for (const std::int32_t user : users) std::ranges::replace(graph_.nodes()[static_cast<std::size_t>(user)].inputs, id, used);
    added_.push_back({.name = {}, .op = "DequantizeLinear", .domain = {}, .inputs = with(id), .outputs = {used}, .attributes = attributes});
    return {};
  }

  Status add_parameters(const Value& value, const Quantization& quantization, std::vector<ValueId>& parameters, Attributes& attributes) {
    const bool per_axis = quantization.scales.size() > 1;
    const Dims dims = per_axis ? Dims{std::ssize(quantization.scales)} : Dims{};
    if (per_axis) attributes["axis"] = static_cast<std::int64_t>(quantization.axis);
    parameters.push_back(graph_.add_initializer(graph_.unused_name(value.name + "_scale"),
                                                Tensor::of<float>(dims, std::span<const float>(quantization.scales))));
    const auto add = [&](Tensor points) {
      parameters.push_back(graph_.add_initializer(graph_.unused_name(value.name + "_zero_point"), std::move(points)));
    };
    switch (*value.type.dtype) {
      case DType::kInt8: add(points_of<std::int8_t>(dims, quantization.zero_points)); return {};
      case DType::kUInt8: add(points_of<std::uint8_t>(dims, quantization.zero_points)); return {};
      case DType::kInt16: add(points_of<std::int16_t>(dims, quantization.zero_points)); return {};
      case DType::kInt32:
      case DType::kInt64:
        if (std::ranges::all_of(quantization.zero_points, [](std::int64_t point) { return point == 0; })) return {};
        [[fallthrough]];
      default:
        return fail(ErrorCode::kUnsupported,
                    fmt::format("'{}': found a quantised {}, expected int8, uint8, int16, or int32 with zero point 0", value.name,
                                to_string(*value.type.dtype)));
    }
  }

  Graph& graph_;
  std::vector<Node> added_;
};

}  // namespace

Status types_to_pairs(Graph& graph) { return Expander(graph).run(); }

}  // namespace moru::model::convert
