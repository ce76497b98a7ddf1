// SPDX-License-Identifier: Apache-2.0
#include "model/convert/rewrite.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace moru::model::convert {

layout::Perm channels_last(std::size_t rank) {
  layout::Perm perm{0};
  for (std::size_t i = 2; i < rank; ++i) perm.push_back(i);
  perm.push_back(1);
  return perm;
}

layout::Perm channels_first(std::size_t rank) { return layout::inverse(channels_last(rank)); }

std::unexpected<Error> Rewrite::unsupported(std::string_view what, std::string_view expected) const {
  return fail(ErrorCode::kUnsupported, fmt::format("found {}, expected {}", what, expected));
}

Result<SymbolicShape> Rewrite::shape(ValueId id) const {
  if (id == kNoValue || !type(id).shape) return unsupported("a value of unknown rank", "a known rank");
  return *type(id).shape;
}

Result<Dims> Rewrite::dims(ValueId id) const {
  MORU_ASSIGN_OR_RETURN(const SymbolicShape symbolic, shape(id));
  Dims out;
  for (const Dim& dim : symbolic) {
    if (!dim.known()) return unsupported(fmt::format("shape {}", to_string(symbolic)), "known extents");
    out.push_back(dim.value);
  }
  return out;
}

Result<std::vector<std::int64_t>> Rewrite::ints(std::size_t index, std::vector<std::int64_t> fallback) const {
  if (!has_input(index)) return fallback;
  const Tensor* tensor = constant(index);
  if (tensor != nullptr && tensor->dtype() == DType::kInt64) {
    const auto values = tensor->data<std::int64_t>();
    return std::vector<std::int64_t>(values.begin(), values.end());
  }
  if (tensor != nullptr && tensor->dtype() == DType::kInt32) {
    const auto values = tensor->data<std::int32_t>();
    return std::vector<std::int64_t>(values.begin(), values.end());
  }
  return unsupported(fmt::format("input {} that is computed", index), "a constant");
}

Result<float> Rewrite::real(std::size_t index, float fallback) const {
  if (!has_input(index)) return fallback;
  const Tensor* tensor = constant(index);
  if (tensor == nullptr || tensor->dtype() != DType::kFloat32 || tensor->count() != 1)
    return unsupported(fmt::format("input {} that is not one constant float32", index), "one");
  return tensor->data<float>()[0];
}

ValueId Rewrite::value(ValueType type) { return graph.add_value(graph.unused_name(graph.value(output()).name), std::move(type)); }

ValueId Rewrite::value_like(ValueId like, SymbolicShape shape) {
  ValueType out = type(like);
  out.shape = std::move(shape);
  return value(std::move(out));
}

ValueId Rewrite::constant(std::string_view stem, Tensor tensor) {
  return graph.add_initializer(graph.unused_name(stem), std::move(tensor));
}

ValueId Rewrite::int32s(std::string_view stem, std::span<const std::int64_t> values) {
  std::vector<std::int32_t> narrow;
  for (const std::int64_t value : values) {
    narrow.push_back(static_cast<std::int32_t>(
        std::clamp<std::int64_t>(value, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max())));
  }
  return constant(stem, Tensor::of<std::int32_t>({std::ssize(narrow)}, narrow));
}

ValueId Rewrite::int64s(std::string_view stem, std::span<const std::int64_t> values) {
  return constant(stem, Tensor::of<std::int64_t>({std::ssize(values)}, values));
}

void Rewrite::add(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs, Attributes attributes) {
  const bool named = std::ranges::any_of(made, [](const Node& one) { return !one.name.empty(); });
  made.push_back({.name = named ? std::string() : node.name,
                  .op = std::string(op),
                  .domain = to_tflite_ ? "tflite" : "",
                  .inputs = std::move(inputs),
                  .outputs = std::move(outputs),
                  .attributes = std::move(attributes)});
}

ValueId Rewrite::transpose(ValueId from, const layout::Perm& perm) {
  if (layout::is_identity(perm)) return from;
  const ValueId to = value(layout::permuted(type(from), perm));
  transpose_to(from, to, perm);
  return to;
}

void Rewrite::transpose_to(ValueId from, ValueId to, const layout::Perm& perm) {
  made.push_back(layout::make_transpose(graph, to_tflite_, from, to, perm));
}

ValueId Rewrite::reshape(ValueId from, SymbolicShape shape) {
  const ValueId to = value_like(from, std::move(shape));
  reshape_to(from, to);
  return to;
}

void Rewrite::reshape_to(ValueId from, ValueId to) { made.push_back(layout::make_reshape(graph, to_tflite_, from, to)); }

ValueId Rewrite::scaled(ValueId id, float factor, float summand) {
  const ValueType like = type(id);
  if (factor != 1.0F) {
    const ValueId to = value(like);
    add(to_tflite_ ? "MUL" : "Mul", {id, constant("factor", Tensor::scalar(factor))}, {to});
    id = to;
  }
  if (summand != 0.0F) {
    const ValueId to = value(like);
    add(to_tflite_ ? "ADD" : "Add", {id, constant("summand", Tensor::scalar(summand))}, {to});
    id = to;
  }
  return id;
}

}  // namespace moru::model::convert
