// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/support/loops.h"
#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "quantised int8, uint8, int16, int32, or float16"}};
constexpr PortSpec kOutputs[] = {{"output", "float32, of the input's shape"}};
constexpr OpExample kExamples[] = {{"Levels of a half", R"(graph "dequantize" {
  init x: int8[3] quant {scales = [0.5], zero_points = [1], axis = 0} = int8[3] {1, 2, -3}
  y: float32[3] = tflite::DEQUANTIZE(x)
  output y
})",
                                    "float32[3] {0, 0.5, -2}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, {DType::kInt8, DType::kUInt8, DType::kInt16, DType::kInt32, DType::kFloat16}));
  context.set_output(0, {DType::kFloat32, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  const auto y = context.outputs[0].mutable_data<float>();
  if (x.dtype() == DType::kFloat16) {
    std::ranges::transform(x.data<Float16>(), y.begin(), [](Float16 value) { return static_cast<float>(value); });
    return {};
  }
  if (!tflite_ops::is_quantized(context.input_types, 0))
    return fail(ErrorCode::kInvalidArgument, "input 0: found no quantization, expected scales");
  const Quantization& quantization = *context.input_types[0].quantization;
  const std::size_t count = quantization.scales.size();
  const auto axis = static_cast<std::size_t>(quantization.axis);
  if (count == 0 || quantization.zero_points.size() != count ||
      (count > 1 && (axis >= x.rank() || std::cmp_not_equal(x.dims()[axis], count))))
    return fail(ErrorCode::kInvalidArgument, "input 0: found scales of another number, expected one, or one an index of the axis");
  const std::int64_t inner = count == 1 ? 1 : ops::product_of(std::span(x.dims()).subspan(axis + 1));
  return ops::for_dtype<std::int8_t, std::uint8_t, std::int16_t, std::int32_t>(x.dtype(), [&]<class T>() -> Status {
    const auto from = x.data<T>();
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t channel = i / static_cast<std::size_t>(inner) % count;
      y[i] = static_cast<float>(static_cast<double>(quantization.scales[channel]) *
                                static_cast<double>(from[i] - quantization.zero_points[channel]));
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_tflite_dequantize;
const OpSpec kOp_tflite_dequantize{.name = "DEQUANTIZE",
                                   .domain = "tflite",
                                   .since = 1,
                                   .doc = "Integers, or floats of 16 bits, to float32: output = scale * (input - zero_point).",
                                   .inputs = kInputs,
                                   .outputs = kOutputs,
                                   .attributes = {},
                                   .infer = infer,
                                   .reference = reference,
                                   .examples = kExamples};

}  // namespace moru::model
