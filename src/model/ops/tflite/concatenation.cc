// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"inputs", "one or more, of one type and rank; extents may differ on axis only"}};
constexpr PortSpec kOutputs[] = {{"output", "the extents on axis add up"}};
constexpr AttributeSpec kAttributes[] = {
    {"axis", AttributeKind::kInt, "the axis"},
    {"fused_activation_function", AttributeKind::kString, "what follows: NONE, RELU, RELU6 or RELU_N1_TO_1"}};
constexpr OpExample kExamples[] = {{"Side by side", R"(graph "concatenation" {
  init a = float32[1, 1] {1}
  init b = float32[1, 2] {2, 3}
  y: float32[1, 3] = tflite::CONCATENATION(a, b) {axis = 1}
  output y
})",
                                    "float32[1, 3] {1, 2, 3}"}};

using namespace tflite_ops;

/// Input `index` on the output's scale.
Result<Tensor> rescaled(const EvalContext& context, std::size_t index) {
  const Tensor& x = context.input(index);
  if (!is_quantized(context.output_types, 0) || !is_quantized(context.input_types, index)) return x;
  if (context.input_types[index].quantization == context.output_types[0].quantization) return x;
  MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, index));
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  if (in.scale == out.scale && in.zero_point == out.zero_point) return x;
  if (x.dtype() != DType::kUInt8) return fail(ErrorCode::kUnsupported, "inputs of several scales: found signed integers, expected uint8");
  MORU_ASSIGN_OR_RETURN(Tensor y, Tensor::create(x.dtype(), x.dims()));
  const float inverse = 1.0F / out.scale;
  const float factor = in.scale * inverse;
  const float bias = static_cast<float>(-in.zero_point) * factor;
  const auto from = x.data<std::uint8_t>();
  const auto to = y.mutable_data<std::uint8_t>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const float level = std::round(static_cast<float>(from[i]) * factor + bias) + static_cast<float>(out.zero_point);
    to[i] = static_cast<std::uint8_t>(std::clamp(level, 0.0F, 255.0F));
  }
  return y;
}

Status activate(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto range, float_range(context.node));
  MORU_ASSIGN_OR_RETURN(const std::string name, string_attribute(context.node, "fused_activation_function", "NONE"));
  if (name == "NONE") return {};
  if (context.outputs[0].dtype() != DType::kFloat32)
    return fail(ErrorCode::kUnsupported, "fused_activation_function: found " + name + ", expected NONE beside integers");
  for (float& value : context.outputs[0].mutable_data<float>()) value = std::clamp(value, range.first, range.second);
  return {};
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_movable(context, 0, context.input_count() - 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node(), "axis", 0));
  context.set_output(0, {dtype, std::nullopt});
  const SymbolicShape* first = ops::shape_of(context, 0);
  if (first == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given_axis, first->size()));
  SymbolicShape y = *first;
  for (std::size_t i = 1; i < context.input_count(); ++i) {
    const SymbolicShape* x = ops::shape_of(context, i);
    if (x == nullptr) return {};
    MORU_RETURN_IF_ERROR(ops::expect_rank(context, i, y.size(), "as input 0"));
    for (std::size_t j = 0; j < y.size(); ++j) {
      if (j == axis) continue;
      MORU_RETURN_IF_ERROR(ops::expect_extent(context, i, j, y[j], "as the inputs before it"));
      y[j] = *ops::merge(y[j], (*x)[j]);
    }
    const bool known = y[axis].known() && (*x)[axis].known();
    y[axis] = known ? Dim{y[axis].value + (*x)[axis].value, {}} : Dim{};
    if (y[axis].value > ops::kMaxExtent) return ops::input_error(context, i, "found more than 2^40 elements on the axis, expected less");
  }
  context.set_output(0, {dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given_axis, y.rank()));
  const std::int64_t outer = ops::product_of(std::span(y.dims()).first(axis));
  std::vector<Tensor> pieces;
  for (std::size_t i = 0; i < context.inputs.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(Tensor piece, rescaled(context, i));
    pieces.push_back(std::move(piece));
  }
  std::byte* to = y.mutable_bytes().data();
  for (std::int64_t i = 0; i < outer; ++i) {
    for (const Tensor& piece : pieces) {
      const std::size_t size = piece.size_bytes() / static_cast<std::size_t>(outer);
      if (size != 0) std::memcpy(to, piece.bytes().data() + static_cast<std::size_t>(i) * size, size);
      to += size;
    }
  }
  return activate(context);
}

}  // namespace

extern const OpSpec kOp_tflite_concatenation;
const OpSpec kOp_tflite_concatenation{
    .name = "CONCATENATION",
    .domain = "tflite",
    .since = 1,
    .doc =
        "Joins tensors along one axis, with an activation. inputs [..., Ai, ...] -> output [..., A0 + A1 + ..., "
        "...]. 8-bit unsigned inputs of other scales are requantised through floats.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .variadic_inputs = true,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
