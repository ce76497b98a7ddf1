// SPDX-License-Identifier: Apache-2.0
#include "model/passes/layout/rules.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace moru::model::layout {
namespace {

using Rule = bool (*)(PermuteContext&);

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

/// Each output element comes from one element of each input, by broadcasting.
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

/// As elementwise, but the inputs from the second on are scalars.
bool first_input(PermuteContext& context) { return wants(context, 0); }

/// All inputs alike, with an attribute `axis`.
template <int kFallback>
bool along_axis(PermuteContext& context) {
  const auto axis = int_attribute(context.node, "axis", kFallback);
  const auto moved = axis ? moved_axis(context, *axis) : std::nullopt;
  if (!moved) return false;
  context.node.attributes["axis"] = *moved;
  for (std::size_t i = 0; i < context.node.inputs.size(); ++i) {
    if (!wants(context, i)) return false;
  }
  return true;
}

bool onnx_split(PermuteContext& context) {
  const auto axis = int_attribute(context.node, "axis", 0);
  const auto moved = axis ? moved_axis(context, *axis) : std::nullopt;
  if (!moved) return false;
  context.node.attributes["axis"] = *moved;
  return wants(context, 0);
}

/// TFLite's softmax runs along the last axis, whatever it is.
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

bool onnx_reduce(PermuteContext& context) {
  const auto noop = int_attribute(context.node, "noop_with_empty_axes", 0);
  return noop && reduce(context, "keepdims", 1, *noop == 0);
}
bool tflite_reduce(PermuteContext& context) { return reduce(context, "keep_dims", 0, false); }

bool onnx_arg(PermuteContext& context) {
  const auto keep = int_attribute(context.node, "keepdims", 1);
  return keep && *keep == 1 && along_axis<0>(context);
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

struct Row {
  std::string_view op;
  Rule rule;
};

constexpr Row kOnnx[] = {
    {"Abs", elementwise},
    {"Acos", elementwise},
    {"Acosh", elementwise},
    {"Add", elementwise},
    {"And", elementwise},
    {"ArgMax", onnx_arg},
    {"ArgMin", onnx_arg},
    {"Asin", elementwise},
    {"Asinh", elementwise},
    {"Atan", elementwise},
    {"Atanh", elementwise},
    {"Cast", elementwise},
    {"Ceil", elementwise},
    {"Celu", elementwise},
    {"Clip", first_input},
    {"Concat", along_axis<0>},
    {"Cos", elementwise},
    {"Cosh", elementwise},
    {"DequantizeLinear", quantize_linear},
    {"Div", elementwise},
    {"Dropout", first_input},
    {"Elu", elementwise},
    {"Equal", elementwise},
    {"Erf", elementwise},
    {"Exp", elementwise},
    {"Floor", elementwise},
    {"Gelu", elementwise},
    {"Greater", elementwise},
    {"GreaterOrEqual", elementwise},
    {"HardSigmoid", elementwise},
    {"HardSwish", elementwise},
    {"Hardmax", along_axis<-1>},
    {"Identity", elementwise},
    {"LeakyRelu", elementwise},
    {"Less", elementwise},
    {"LessOrEqual", elementwise},
    {"Log", elementwise},
    {"LogSoftmax", along_axis<-1>},
    {"Max", elementwise},
    {"Mean", elementwise},
    {"Min", elementwise},
    {"Mish", elementwise},
    {"Mod", elementwise},
    {"Mul", elementwise},
    {"Neg", elementwise},
    {"Not", elementwise},
    {"Or", elementwise},
    {"PRelu", elementwise},
    {"Pad", onnx_pad},
    {"Pow", elementwise},
    {"QuantizeLinear", quantize_linear},
    {"Reciprocal", elementwise},
    {"ReduceL1", onnx_reduce},
    {"ReduceL2", onnx_reduce},
    {"ReduceLogSum", onnx_reduce},
    {"ReduceLogSumExp", onnx_reduce},
    {"ReduceMax", onnx_reduce},
    {"ReduceMean", onnx_reduce},
    {"ReduceMin", onnx_reduce},
    {"ReduceProd", onnx_reduce},
    {"ReduceSum", onnx_reduce},
    {"ReduceSumSquare", onnx_reduce},
    {"Relu", elementwise},
    {"Resize", onnx_resize},
    {"Round", elementwise},
    {"Selu", elementwise},
    {"Sigmoid", elementwise},
    {"Sign", elementwise},
    {"Sin", elementwise},
    {"Sinh", elementwise},
    {"Slice", onnx_slice},
    {"Softmax", along_axis<-1>},
    {"Softplus", elementwise},
    {"Softsign", elementwise},
    {"Split", onnx_split},
    {"Sqrt", elementwise},
    {"Sub", elementwise},
    {"Sum", elementwise},
    {"Tan", elementwise},
    {"Tanh", elementwise},
    {"ThresholdedRelu", elementwise},
    {"Where", elementwise},
    {"Xor", elementwise},
};

constexpr Row kTflite[] = {
    {"ABS", elementwise},
    {"ADD", elementwise},
    {"CAST", elementwise},
    {"CEIL", elementwise},
    {"CONCATENATION", along_axis<0>},
    {"COS", elementwise},
    {"DEQUANTIZE", first_input},
    {"DIV", elementwise},
    {"ELU", elementwise},
    {"EQUAL", elementwise},
    {"EXP", elementwise},
    {"FLOOR", elementwise},
    {"FLOOR_DIV", elementwise},
    {"FLOOR_MOD", elementwise},
    {"GELU", elementwise},
    {"GREATER", elementwise},
    {"GREATER_EQUAL", elementwise},
    {"HARD_SWISH", elementwise},
    {"L2_NORMALIZATION", last_axis_stays},
    {"LEAKY_RELU", elementwise},
    {"LESS", elementwise},
    {"LESS_EQUAL", elementwise},
    {"LOG", elementwise},
    {"LOGICAL_AND", elementwise},
    {"LOGICAL_NOT", elementwise},
    {"LOGICAL_OR", elementwise},
    {"LOGISTIC", elementwise},
    {"LOG_SOFTMAX", last_axis_stays},
    {"MAXIMUM", elementwise},
    {"MEAN", tflite_reduce},
    {"MINIMUM", elementwise},
    {"MIRROR_PAD", tflite_pad},
    {"MUL", elementwise},
    {"NEG", elementwise},
    {"NOT_EQUAL", elementwise},
    {"PAD", tflite_pad},
    {"PADV2", tflite_pad},
    {"POW", elementwise},
    {"PRELU", elementwise},
    {"QUANTIZE", first_input},
    {"REDUCE_MAX", tflite_reduce},
    {"REDUCE_MIN", tflite_reduce},
    {"REDUCE_PROD", tflite_reduce},
    {"RELU", elementwise},
    {"RELU6", elementwise},
    {"RELU_0_TO_1", elementwise},
    {"RELU_N1_TO_1", elementwise},
    {"ROUND", elementwise},
    {"RSQRT", elementwise},
    {"SELECT_V2", elementwise},
    {"SIGN", elementwise},
    {"SIN", elementwise},
    {"SLICE", tflite_slice},
    {"SOFTMAX", last_axis_stays},
    {"SQRT", elementwise},
    {"SQUARE", elementwise},
    {"SQUARED_DIFFERENCE", elementwise},
    {"STRIDED_SLICE", tflite_strided_slice},
    {"SUB", elementwise},
    {"SUM", tflite_reduce},
    {"TANH", elementwise},
};

Rule find_rule(const Node& node) {
  if (!is_tflite(node) && !node.domain.empty()) return nullptr;
  const std::span<const Row> rows = is_tflite(node) ? std::span<const Row>(kTflite) : std::span<const Row>(kOnnx);
  const auto row = std::ranges::find(rows, node.op, &Row::op);
  return row == rows.end() ? nullptr : row->rule;
}

}  // namespace

const SymbolicShape* PermuteContext::shape(std::size_t input) const {
  if (input >= node.inputs.size() || node.inputs[input] == kNoValue) return nullptr;
  const auto& found = graph.value(node.inputs[input]).type.shape;
  return found ? &*found : nullptr;
}

const Tensor* PermuteContext::constant(std::size_t input) const {
  if (input >= node.inputs.size() || node.inputs[input] == kNoValue) return nullptr;
  return graph.initializer(node.inputs[input]);
}

bool permute(PermuteContext& context) {
  const Rule rule = find_rule(context.node);
  if (rule == nullptr) return false;
  context.permuted.assign(context.node.inputs.size(), false);
  context.outputs.assign(context.node.outputs.size(), context.perm);
  context.constants.clear();
  return rule(context);
}

}  // namespace moru::model::layout
