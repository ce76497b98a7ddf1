// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/quantization.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "int8, uint8 or int32, any shape"},
                                {"x_scale", "scalar, or [extent of axis]"},
                                {"x_zero_point", "of x's type, shaped as x_scale; 0", true}};
constexpr PortSpec kOutputs[] = {{"y", "float32, as x"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the axis with a scale an index, when there are several; 1"}};
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
                                    "float32[2, 2] {1, -2, 0.5, -1}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, {DType::kInt8, DType::kUInt8, DType::kInt32}));
  const auto x = context.input(0).dtype;
  const auto zero = context.input(2).dtype;
  if (x && zero && *x != *zero)
    return ops::input_error(context, 2, fmt::format("found {}, expected {} as of x", to_string(*zero), to_string(*x)));
  return ops::infer_quantization(context, DType::kFloat32);
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const ops::ScaleLayout layout, ops::scale_layout(context));
  const auto scale = context.input(1).data<float>();
  const auto y = context.outputs[0].mutable_data<float>();
  return ops::for_dtype<std::int8_t, std::uint8_t, std::int32_t>(context.input(0).dtype(), [&]<class T>() -> Status {
    const auto x = context.input(0).data<T>();
    const auto zero = context.has_input(2) ? context.input(2).data<T>() : std::span<const T>();
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t s = layout.of(static_cast<std::int64_t>(i));
      const std::int64_t steps = static_cast<std::int64_t>(x[i]) - (zero.empty() ? 0 : static_cast<std::int64_t>(zero[s]));
      y[i] = static_cast<float>(steps) * scale[s];
    }
    return {};
  });
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
                                   .examples = kExamples};

}  // namespace moru::model
