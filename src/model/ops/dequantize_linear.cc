// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/integers.h"
#include "model/ops/support/quantization.h"
#include "model/ops/support/real.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "integers of 4, 8, 16 or 32 bits, or floats of 8, any shape"},
                                {"x_scale", "scalar, or [extent of axis], or one a block; its type is the output's"},
                                {"x_zero_point", "of x's type, shaped as x_scale; 0", true}};
constexpr PortSpec kOutputs[] = {{"y", "as x, of the type of x_scale"}};
constexpr AttributeSpec kAttributes[] = {
    {"axis", AttributeKind::kInt, "the axis with a scale an index, when there are several; 1"},
    {"block_size", AttributeKind::kInt, "so many indices of axis share a scale, which has x's rank then; 0: no blocks"}};
constexpr OpExample kExamples[] = {{"Steps of a half around 10", R"(graph "dequantize" {
  init x = uint8[3] {8, 10, 13}
  init scale = float32[] {0.5}
  init zero = uint8[] {10}
  y = DequantizeLinear(x, scale, zero)
  output y
})",
                                    "float32[3] {-1, 0, 1.5}"},
                                   {"A scale a channel", R"(graph "channels" {
  init x = int8[2, 2] {1, -2, 1, -2}
  init scale = float32[2] {1, 0.5}
  y = DequantizeLinear(x, scale) {axis = 0}
  output y
})",
                                    "float32[2, 2] {1, -2, 0.5, -1}"},
                                   {"A scale for each two elements", R"(graph "blocks" {
  init x = int8[1, 4] {1, 2, 3, 4}
  init scale = float32[1, 2] {1, 10}
  y = DequantizeLinear(x, scale) {axis = 1, block_size = 2}
  output y
})",
                                    "float32[1, 4] {1, 2, 30, 40}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kLevelTypesOrInt32));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, ops::kReals));
  MORU_RETURN_IF_ERROR(ops::expect_same_dtype(context, 2, 0));
  return ops::infer_quantization(context, context.input(1).dtype);
}

/// Floats of 8 bits have no zero point but 0.
Status dequantize_float8(EvalContext& context, const ops::ScaleLayout& layout, std::span<const double> scale) {
  return ops::for_dtype<Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ>(context.input(0).dtype(), [&]<class Level>() {
    return ops::for_float_dtype(context.outputs[0].dtype(), [&]<class T>() -> Status {
      const auto x = context.input(0).data<Level>();
      const auto y = context.outputs[0].mutable_data<T>();
      for (std::size_t i = 0; i < y.size(); ++i)
        y[i] = static_cast<T>(static_cast<float>(x[i]) * static_cast<float>(scale[layout.of(static_cast<std::int64_t>(i))]));
      return {};
    });
  });
}

Status reference(EvalContext& context) {
  if (context.outputs[0].count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const ops::ScaleLayout layout, ops::scale_layout(context));
  MORU_ASSIGN_OR_RETURN(const Tensor scales, ops::to_float64(context.input(1)));
  const auto scale = scales.data<double>();
  if (ops::is_float8(context.input(0).dtype())) return dequantize_float8(context, layout, scale);
  MORU_ASSIGN_OR_RETURN(const Tensor levels, ops::levels_as_int32(context.input(0)));
  MORU_ASSIGN_OR_RETURN(const Tensor zeros, ops::levels_as_int32(context.has_input(2) ? context.input(2) : Tensor::scalar(std::int8_t{0})));
  const auto x = levels.data<std::int32_t>();
  const auto zero = zeros.data<std::int32_t>();
  return ops::for_float_dtype(context.outputs[0].dtype(), [&]<class T>() -> Status {
    const auto y = context.outputs[0].mutable_data<T>();
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t s = layout.of(static_cast<std::int64_t>(i));
      const std::int64_t steps = static_cast<std::int64_t>(x[i]) - zero[zero.size() == 1 ? 0 : s];
      y[i] = static_cast<T>(static_cast<ops::Compute<T>>(steps) * static_cast<ops::Compute<T>>(scale[s]));
    }
    return {};
  });
}

Status downgrade(NodeRewrite& rewrite) {
  return ops::downgrade_quantization(rewrite, rewrite.graph.value(rewrite.node.inputs[0]).type.dtype);
}

}  // namespace

extern const OpSpec kOp_dequantize_linear;
const OpSpec kOp_dequantize_linear{.name = "DequantizeLinear",
                                   .domain = "",
                                   .since = 10,
                                   .doc = "Small integers back to floats, any shape: y = (x - x_zero_point) * x_scale.",
                                   .inputs = kInputs,
                                   .outputs = kOutputs,
                                   .attributes = kAttributes,
                                   .infer = infer,
                                   .reference = reference,
                                   .examples = kExamples,
                                   .downgrade = downgrade};

}  // namespace moru::model
