// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/indices.h"

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <numeric>

#include "model/ops/support/shape.h"

namespace moru::model::ops {

std::vector<std::int64_t> to_ints(const Tensor& tensor) {
  if (tensor.dtype() == DType::kInt32) {
    const auto values = tensor.data<std::int32_t>();
    return {values.begin(), values.end()};
  }
  const auto values = tensor.data<std::int64_t>();
  return {values.begin(), values.end()};
}

Result<std::optional<std::vector<std::int64_t>>> constant_indices(const InferContext& context, std::size_t index) {
  MORU_RETURN_IF_ERROR(expect_dtype(context, index, kIndexTypes));
  const SymbolicShape* shape = shape_of(context, index);
  if (shape != nullptr && shape->size() > 1) {
    return input_error(context, index, fmt::format("found rank {}, expected a list of numbers", shape->size()));
  }
  const Tensor* tensor = context.constant(index);
  return tensor == nullptr ? std::nullopt : std::optional(to_ints(*tensor));
}

Result<std::optional<std::int64_t>> constant_index(const InferContext& context, std::size_t index) {
  MORU_RETURN_IF_ERROR(expect_single_element(context, index));
  MORU_ASSIGN_OR_RETURN(const auto list, constant_indices(context, index));
  return list ? std::optional((*list)[0]) : std::nullopt;
}

Status expect_single_element(const InferContext& context, std::size_t index) {
  const SymbolicShape* shape = shape_of(context, index);
  if (shape == nullptr || shape->empty() || (shape->size() == 1 && merge((*shape)[0], Dim{1, {}}))) return {};
  return input_error(context, index, fmt::format("found shape {}, expected a single number", to_string(*shape)));
}

std::optional<std::size_t> list_length(const InferContext& context, std::size_t index) {
  const SymbolicShape* shape = shape_of(context, index);
  if (shape == nullptr || shape->size() != 1 || !(*shape)[0].known() || (*shape)[0].value > 64) return std::nullopt;
  return static_cast<std::size_t>((*shape)[0].value);
}

Result<std::vector<std::size_t>> normalize_axes(std::span<const std::int64_t> axes, std::size_t rank) {
  if (axes.size() > rank) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("axes: found {}, expected at most {} for rank {}", axes.size(), rank, rank));
  }
  std::vector<std::size_t> result;
  for (const std::int64_t axis : axes) {
    MORU_ASSIGN_OR_RETURN(const std::size_t at, normalize_axis(axis, rank));
    if (std::ranges::find(result, at) != result.end()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("axes: found axis {} twice, expected each once", at));
    }
    result.push_back(at);
  }
  return result;
}

std::vector<std::int64_t> all_axes(std::size_t rank) {
  std::vector<std::int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

Result<std::int64_t> checked_index(std::int64_t index, std::int64_t extent, std::string_view name, std::size_t element) {
  if (index >= -extent && index < extent) return index < 0 ? index + extent : index;
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} at element {}, expected {} to {} for an extent of {}", name, index,
                                                       element, -extent, extent - 1, extent));
}

Result<std::vector<std::int64_t>> read_indices(const Tensor& tensor, std::int64_t extent, std::string_view name) {
  auto values = to_ints(tensor);
  for (std::size_t i = 0; i < values.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(values[i], checked_index(values[i], extent, name, i));
  }
  return values;
}

Status check_extents(std::span<const std::int64_t> extents, std::string_view name) {
  for (const std::int64_t extent : extents) {
    if (extent < 0) return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {}, expected 0 or more", name, extent));
    if (extent > kMaxExtent) return fail(ErrorCode::kResourceExhausted, fmt::format("{}: found {}, expected at most 2^40", name, extent));
  }
  return {};
}

SymbolicShape to_shape(std::span<const std::int64_t> extents) {
  SymbolicShape shape;
  for (const std::int64_t extent : extents) shape.push_back({extent, {}});
  return shape;
}

std::optional<Dims> known_dims(const SymbolicShape& shape) {
  Dims dims;
  for (const Dim& dim : shape) {
    if (!dim.known()) return std::nullopt;
    dims.push_back(dim.value);
  }
  return dims;
}

ValueId input_of(const NodeRewrite& rewrite, std::size_t index) {
  return index < rewrite.node.inputs.size() ? rewrite.node.inputs[index] : kNoValue;
}

const Tensor* constant_of(const NodeRewrite& rewrite, std::size_t index) {
  const ValueId id = input_of(rewrite, index);
  return id == kNoValue ? nullptr : rewrite.graph.initializer(id);
}

const SymbolicShape* shape_of(const NodeRewrite& rewrite, std::size_t index) {
  const ValueId id = input_of(rewrite, index);
  if (id == kNoValue) return nullptr;
  const auto& shape = rewrite.graph.value(id).type.shape;
  return shape ? &*shape : nullptr;
}

void set_input(NodeRewrite& rewrite, std::size_t index, ValueId value) {
  auto& inputs = rewrite.node.inputs;
  if (inputs.size() <= index) inputs.resize(index + 1, kNoValue);
  inputs[index] = value;
  while (!inputs.empty() && inputs.back() == kNoValue) inputs.pop_back();
}

Status drop_default(NodeRewrite& rewrite, std::string_view name, const Attribute& meant) {
  const auto it = rewrite.node.attributes.find(name);
  if (it == rewrite.node.attributes.end()) return {};
  const bool same = std::visit(
      [&]<class T>(const T& value) {
        if constexpr (std::equality_comparable<T>) {
          const T* other = std::get_if<T>(&meant);
          return other != nullptr && *other == value;
        } else {
          return false;  // tensors and bodies are no defaults
        }
      },
      it->second);
  if (!same) return not_in_opset(rewrite, fmt::format("{} with '{}'", rewrite.node.op, name));
  rewrite.node.attributes.erase(it);
  return {};
}

}  // namespace moru::model::ops
