// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/ops/support/integers.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "float32, any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "uint8, as x"}, {"y_scale", "float32, a scalar"}, {"y_zero_point", "uint8, a scalar"}};
constexpr OpExample kExamples[] = {{"The range from the data, 0 always in it", R"(graph "dynamic" {
  init x = float32[4] {0, 2, -3, 252}
  y, scale, zero = DynamicQuantizeLinear(x)
  output y
  output scale
  output zero
})",
                                    "uint8[4] {3, 5, 0, 255}\nfloat32[] {1}\nuint8[] {3}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kFloatOnly));
  context.set_output(0, {DType::kUInt8, context.input(0).shape});
  context.set_output(1, {DType::kFloat32, SymbolicShape{}});
  context.set_output(2, {DType::kUInt8, SymbolicShape{}});
  return {};
}

Status reference(EvalContext& context) {
  const auto x = context.input(0).data<float>();
  float low = 0;
  float high = 0;
  for (const float value : x) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  // All zeros have any scale.
  const float scale = high == low ? 1.0F : (high - low) / 255.0F;
  const auto zero = ops::to_level<std::uint8_t>(-low / scale, 0);
  std::ranges::transform(x, context.outputs[0].mutable_data<std::uint8_t>().begin(),
                         [&](float value) { return ops::to_level<std::uint8_t>(value / scale, zero); });
  context.outputs[1].mutable_data<float>()[0] = scale;
  context.outputs[2].mutable_data<std::uint8_t>()[0] = zero;
  return {};
}

}  // namespace

extern const OpSpec kOp_dynamic_quantize_linear;
const OpSpec kOp_dynamic_quantize_linear{
    .name = "DynamicQuantizeLinear",
    .domain = "",
    .since = 11,
    .doc =
        "Floats of any shape to uint8, by their own range: y_scale = (max(x, 0) - min(x, 0)) / 255, y_zero_point = round(-min(x, 0) / "
        "y_scale), y = saturate(round(x / y_scale) + y_zero_point), halves to even.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
