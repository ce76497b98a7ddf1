// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/ops/support/loops.h"
#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "float32, or quantised integers"}};
constexpr PortSpec kOutputs[] = {{"output", "of its declared type"}};
constexpr OpExample kExamples[] = {{"Halves go away from zero", R"(graph "quantize" {
  init x = float32[3] {0.5, -1.5, 300}
  y: int8[3] quant {scales = [1.0], zero_points = [3], axis = 0} = tflite::QUANTIZE(x)
  output y
})",
                                    "int8[3] {4, 1, 127}"}};

using namespace tflite_ops;

template <class Y>
Y saturated(std::int64_t level) {
  return static_cast<Y>(std::clamp<std::int64_t>(level, std::numeric_limits<Y>::min(), std::numeric_limits<Y>::max()));
}

template <class Y>
Status quantize(std::span<const float> x, const Scale& out, std::span<Y> y) {
  for (std::size_t i = 0; i < y.size(); ++i) {
    const float quotient = std::round(x[i] / out.scale);
    // NaN has no place on the scale; it becomes the zero point.
    const float inside = std::isnan(quotient) ? 0.0F : std::clamp(quotient, -1e9F, 1e9F);
    y[i] = saturated<Y>(static_cast<std::int64_t>(inside) + out.zero_point);
  }
  return {};
}

template <class X, class Y>
Status requantize(std::span<const X> x, const Scale& in, const Scale& out, std::span<Y> y) {
  const Multiplier multiplier = quantize_multiplier(static_cast<double>(in.scale) / static_cast<double>(out.scale));
  for (std::size_t i = 0; i < y.size(); ++i)
    y[i] = saturated<Y>(std::int64_t{scale(std::int32_t{x[i]} - in.zero_point, multiplier)} + out.zero_point);
  return {};
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, tflite_ops::kReal));
  const auto dtype = context.declared_output(0).dtype;
  if (dtype && *dtype != DType::kInt8 && *dtype != DType::kUInt8 && *dtype != DType::kInt16)
    return fail(ErrorCode::kUnsupported, fmt::format("output 0: found {}, expected int8, uint8 or int16", to_string(*dtype)));
  context.set_output(0, {dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  const Tensor& x = context.input(0);
  if (y.dims() != x.dims()) return fail(ErrorCode::kInvalidArgument, "output 0: found no element type, expected a declared one");
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  return ops::for_dtype<std::int8_t, std::uint8_t, std::int16_t>(y.dtype(), [&]<class Y>() -> Status {
    if (x.dtype() == DType::kFloat32) return quantize<Y>(x.data<float>(), out, y.mutable_data<Y>());
    MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, 0));
    return ops::for_dtype<std::int8_t, std::uint8_t, std::int16_t>(
        x.dtype(), [&]<class X>() -> Status { return requantize<X, Y>(x.data<X>(), in, out, y.mutable_data<Y>()); });
  });
}

}  // namespace

extern const OpSpec kOp_tflite_quantize;
const OpSpec kOp_tflite_quantize{
    .name = "QUANTIZE",
    .domain = "tflite",
    .since = 1,
    .doc =
        "Reals to integers, or from one scale to another: output = round(input / scale) + zero_point, halves away "
        "from zero, saturated.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
