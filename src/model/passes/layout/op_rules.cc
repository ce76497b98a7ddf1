// SPDX-License-Identifier: Apache-2.0
#include "model/passes/layout/op_rules.h"

#include <algorithm>

namespace moru::model::layout {
namespace {

/// Axis `axis` of v, possibly counted from the end, as an axis of w.
std::optional<std::int64_t> moved_axis(const PermuteContext& context, std::int64_t axis) {
  const auto rank = static_cast<std::int64_t>(context.rank());
  if (axis < -rank || axis >= rank) return std::nullopt;
  return static_cast<std::int64_t>(context.perm[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)]);
}

bool wants(PermuteContext& context, std::size_t input) {
  const SymbolicShape* shape = context.shape(input);
  context.permuted[input] = shape != nullptr && shape->size() == context.rank();
  return context.permuted[input];
}

/// Constant integers of either width.
std::optional<std::vector<std::int64_t>> ints(const PermuteContext& context, std::size_t input) {
  const Tensor* tensor = context.constant(input);
  if (tensor == nullptr) return std::nullopt;
  if (tensor->dtype() == DType::kInt64)
    return std::vector<std::int64_t>(tensor->data<std::int64_t>().begin(), tensor->data<std::int64_t>().end());
  if (tensor->dtype() == DType::kInt32)
    return std::vector<std::int64_t>(tensor->data<std::int32_t>().begin(), tensor->data<std::int32_t>().end());
  return std::nullopt;
}

void set_ints(PermuteContext& context, std::size_t input, const std::vector<std::int64_t>& values) {
  const Tensor& old = *context.constant(input);
  if (old.dtype() == DType::kInt32) {
    const std::vector<std::int32_t> narrow(values.begin(), values.end());
    context.constants.emplace_back(input, Tensor::of<std::int32_t>(old.dims(), narrow));
  } else {
    context.constants.emplace_back(input, Tensor::of<std::int64_t>(old.dims(), values));
  }
}

bool has_input(const PermuteContext& context, std::size_t input) {
  return input < context.node.inputs.size() && context.node.inputs[input] != kNoValue;
}

/// Constants of a lower rank, [C, 1, 1] beside [N, C, H, W], get the axes that broadcasting gives them.
bool permute_small_constant(PermuteContext& context, std::size_t input) {
  const Tensor* tensor = context.constant(input);
  if (tensor == nullptr || tensor->rank() > context.rank()) return false;
  Dims dims(context.rank() - tensor->rank(), 1);
  dims.insert(dims.end(), tensor->dims().begin(), tensor->dims().end());
  auto moved = permuted(tensor->reshaped(std::move(dims)), inverse(context.perm));
  if (!moved) return false;
  Dims shortest = moved->dims();
  while (shortest.size() > 1 && shortest.front() == 1) shortest.erase(shortest.begin());
  context.constants.emplace_back(input, moved->reshaped(std::move(shortest)));
  return true;
}

}  // namespace

bool elementwise(PermuteContext& context) {
  bool any = false;
  for (std::size_t i = 0; i < context.node.inputs.size(); ++i) {
    if (!has_input(context, i)) continue;
    const SymbolicShape* shape = context.shape(i);
    if (shape == nullptr) return false;
    if (shape->size() == context.rank()) {
      context.permuted[i] = true;
      any = any || context.constant(i) == nullptr;
      continue;
    }
    if (std::ranges::all_of(*shape, [](const Dim& dim) { return dim.value == 1; }) && shape->size() < context.rank()) continue;
    if (!permute_small_constant(context, i)) return false;
  }
  return any;
}

bool first_input(PermuteContext& context) { return wants(context, 0); }

namespace {

bool along_axis(PermuteContext& context, std::int64_t fallback) {
  const auto axis = int_attribute(context.node, "axis", fallback);
  const auto moved = axis ? moved_axis(context, *axis) : std::nullopt;
  if (!moved) return false;
  context.node.attributes["axis"] = *moved;
  for (std::size_t i = 0; i < context.node.inputs.size(); ++i) {
    if (!wants(context, i)) return false;
  }
  return true;
}

}  // namespace

bool along_first_axis(PermuteContext& context) { return along_axis(context, 0); }
bool along_last_axis(PermuteContext& context) { return along_axis(context, -1); }

bool onnx_split(PermuteContext& context) {
  const auto axis = int_attribute(context.node, "axis", 0);
  const auto moved = axis ? moved_axis(context, *axis) : std::nullopt;
  if (!moved) return false;
  context.node.attributes["axis"] = *moved;
  return wants(context, 0);
}

bool last_axis_stays(PermuteContext& context) {
  return !context.perm.empty() && context.perm.back() == context.rank() - 1 && wants(context, 0);
}

bool quantize_linear(PermuteContext& context) {
  const SymbolicShape* scale = context.shape(1);
  if (scale == nullptr) return false;
  if (scale->size() > 1 || context.node.attributes.contains("block_size")) return false;
  if (scale->size() == 1 && (*scale)[0].value != 1)
    return [&] {
      const auto axis = int_attribute(context.node, "axis", 1);
      const auto moved = axis ? moved_axis(context, *axis) : std::nullopt;
      if (moved) context.node.attributes["axis"] = *moved;
      return moved.has_value() && wants(context, 0);
    }();
  context.node.attributes.erase("axis");
  return wants(context, 0);
}

bool onnx_pad(PermuteContext& context) {
  auto values = ints(context, 1);
  if (!values || !wants(context, 0)) return false;
  if (has_input(context, 3)) {
    auto axes = ints(context, 3);
    if (!axes) return false;
    for (std::int64_t& axis : *axes) {
      const auto moved = moved_axis(context, axis);
      if (!moved) return false;
      axis = *moved;
    }
    set_ints(context, 3, *axes);
    return true;
  }
  const std::size_t rank = context.rank();
  if (values->size() != 2 * rank) return false;
  std::vector<std::int64_t> moved(2 * rank);
  for (std::size_t i = 0; i < rank; ++i) {
    moved[context.perm[i]] = (*values)[i];
    moved[rank + context.perm[i]] = (*values)[rank + i];
  }
  set_ints(context, 1, moved);
  return true;
}

namespace {

/// A constant with `kWidth` numbers an axis: TFLite's PAD [R, 2], SLICE's begin [R].
template <std::size_t kWidth>
bool move_rows(PermuteContext& context, std::size_t input) {
  const auto values = ints(context, input);
  if (!values || values->size() != kWidth * context.rank()) return false;
  std::vector<std::int64_t> moved(values->size());
  for (std::size_t i = 0; i < context.rank(); ++i) {
    for (std::size_t j = 0; j < kWidth; ++j) moved[context.perm[i] * kWidth + j] = (*values)[i * kWidth + j];
  }
  set_ints(context, input, moved);
  return true;
}

}  // namespace

bool tflite_pad(PermuteContext& context) { return wants(context, 0) && move_rows<2>(context, 1); }
bool tflite_slice(PermuteContext& context) { return wants(context, 0) && move_rows<1>(context, 1) && move_rows<1>(context, 2); }

bool tflite_strided_slice(PermuteContext& context) {
  for (const char* const mask : {"ellipsis_mask", "new_axis_mask", "shrink_axis_mask"}) {
    const auto bits = int_attribute(context.node, mask, 0);
    if (!bits || *bits != 0) return false;
  }
  for (const char* const mask : {"begin_mask", "end_mask"}) {
    const auto bits = int_attribute(context.node, mask, 0);
    if (!bits) return false;
    std::int64_t moved = 0;
    for (std::size_t i = 0; i < context.rank(); ++i) moved |= ((*bits >> i) & 1) << context.perm[i];
    context.node.attributes[mask] = moved;
  }
  return wants(context, 0) && move_rows<1>(context, 1) && move_rows<1>(context, 2) && move_rows<1>(context, 3);
}

bool onnx_slice(PermuteContext& context) {
  if (!wants(context, 0)) return false;
  std::optional<std::vector<std::int64_t>> axes;
  if (has_input(context, 3)) {
    axes = ints(context, 3);
    if (!axes) return false;
    for (std::int64_t& axis : *axes) {
      const auto moved = moved_axis(context, axis);
      if (!moved) return false;
      axis = *moved;
    }
    set_ints(context, 3, *axes);
    return true;
  }
  if (has_input(context, 4) && !move_rows<1>(context, 4)) return false;
  return move_rows<1>(context, 1) && move_rows<1>(context, 2);
}

namespace {

/// Reductions over constant axes. Without keepdims the axes that are left keep the order that w gives them.
bool reduce(PermuteContext& context, const char* keep_name, std::int64_t keep_fallback, bool empty_is_all) {
  const auto keep = int_attribute(context.node, keep_name, keep_fallback);
  if (!keep || !wants(context, 0)) return false;
  std::vector<bool> reduced(context.rank(), false);  // axes of w
  const auto axes = has_input(context, 1) ? ints(context, 1) : std::vector<std::int64_t>();
  if (!axes) return false;
  std::vector<std::int64_t> moved_axes;
  for (const std::int64_t axis : *axes) {
    const auto moved = moved_axis(context, axis);
    if (!moved) return false;
    moved_axes.push_back(*moved);
    reduced[static_cast<std::size_t>(*moved)] = true;
  }
  if (axes->empty()) {
    if (!empty_is_all) return true;
    reduced.assign(context.rank(), true);
  } else {
    std::ranges::sort(moved_axes);
    set_ints(context, 1, moved_axes);
  }
  if (*keep != 0) return true;
  Perm left;
  for (std::size_t i = 0; i < context.rank(); ++i) {
    if (reduced[context.perm[i]]) continue;
    // The place among the axes of w that are left.
    left.push_back(
        static_cast<std::size_t>(std::count(reduced.begin(), reduced.begin() + static_cast<std::ptrdiff_t>(context.perm[i]), false)));
  }
  context.outputs[0] = left;
  return true;
}

}  // namespace

bool onnx_reduce(PermuteContext& context) {
  const auto noop = int_attribute(context.node, "noop_with_empty_axes", 0);
  return noop && reduce(context, "keepdims", 1, *noop == 0);
}
bool tflite_reduce(PermuteContext& context) { return reduce(context, "keep_dims", 0, false); }

bool onnx_arg(PermuteContext& context) {
  const auto keep = int_attribute(context.node, "keepdims", 1);
  return keep && *keep == 1 && along_first_axis(context);
}

bool onnx_resize(PermuteContext& context) {
  if (has_input(context, 1) && context.shape(1) != nullptr && !context.shape(1)->empty() && (*context.shape(1))[0].value != 0) return false;
  if (context.node.attributes.contains("axes") || !wants(context, 0)) return false;
  if (has_input(context, 3)) return move_rows<1>(context, 3);
  const Tensor* scales = has_input(context, 2) ? context.constant(2) : nullptr;
  if (scales == nullptr || scales->dtype() != DType::kFloat32 || scales->count() != static_cast<std::int64_t>(context.rank())) return false;
  std::vector<float> moved(context.rank());
  for (std::size_t i = 0; i < context.rank(); ++i) moved[context.perm[i]] = scales->data<float>()[i];
  context.constants.emplace_back(2, Tensor::of<float>(scales->dims(), moved));
  return true;
}

}  // namespace moru::model::layout
