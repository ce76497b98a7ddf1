// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "model/ops/support/quantization.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "float32, any shape"},
                                {"y_scale", "scalar, or [extent of axis]"},
                                {"y_zero_point", "int8 or uint8, shaped as y_scale; its type is the output's; uint8 0", true}};
constexpr PortSpec kOutputs[] = {{"y", "as x, of the type of y_zero_point"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the axis with a scale an index, when there are several; 1"}};
constexpr OpExample kExamples[] = {{"Halves go to the even number; what does not fit saturates", R"(graph "quantize" {
  init x = float32[5] {0.5, 1.5, 2.5, -300, 300}
  init scale = float32[] {1}
  init zero = int8[] {0}
  y = QuantizeLinear(x, scale, zero)
  output y
})",
                                    "int8[5] {0, 2, 2, -128, 127}"},
                                   {"A scale a channel", R"(graph "channels" {
  init x = float32[2, 2] {1, 2, 1, 2}
  init scale = float32[2] {1, 0.5}
  init zero = uint8[2] {0, 10}
  y = QuantizeLinear(x, scale, zero) {axis = 0}
  output y
})",
                                    "uint8[2, 2] {1, 2, 12, 14}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kFloatOnly));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 2, {DType::kInt8, DType::kUInt8}));
  return ops::infer_quantization(context, context.has_input(2) ? context.input(2).dtype : DType::kUInt8);
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const ops::ScaleLayout layout, ops::scale_layout(context));
  const auto x = context.input(0).data<float>();
  const auto scale = context.input(1).data<float>();
  return ops::for_dtype<std::int8_t, std::uint8_t>(context.outputs[0].dtype(), [&]<class T>() -> Status {
    const auto zero = context.has_input(2) ? context.input(2).data<T>() : std::span<const T>();
    const auto y = context.outputs[0].mutable_data<T>();
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t s = layout.of(static_cast<std::int64_t>(i));
      const float offset = zero.empty() ? 0.0F : static_cast<float>(zero[s]);
      // nearbyint rounds halves to even. NaN has no place on the scale; it becomes the zero point.
      const float quotient = std::nearbyint(x[i] / scale[s]);
      const float level = std::isnan(quotient) ? offset : quotient + offset;
      y[i] = static_cast<T>(
          std::clamp(level, static_cast<float>(std::numeric_limits<T>::min()), static_cast<float>(std::numeric_limits<T>::max())));
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_quantize_linear;
const OpSpec kOp_quantize_linear{
    .name = "QuantizeLinear",
    .domain = "",
    .since = 10,
    .doc = "Floats to small integers, any shape: y = saturate(round(x / y_scale) + y_zero_point), halves to even.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
