// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/support/elementwise.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input1", "any shape"}, {"input2", "of the same type; the shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"output", "the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "floor_div" {
  init a = float32[2] {6, -1}
  init b = float32[2] {4, 2}
  y: float32[2] = tflite::FLOOR_DIV(a, b)
  output y
})",
                                    "float32[2] {1, -1}"}};

Status infer(InferContext& context) {
  return tflite_ops::infer_broadcast(context, {DType::kFloat32, DType::kInt8, DType::kInt16, DType::kInt32});
}

Status reference(EvalContext& context) {
  if (context.input(0).dtype() != DType::kFloat32) MORU_RETURN_IF_ERROR(ops::check_divisors(context, context.input(1)));
  return ops::zip_numbers(context, [](auto a, auto b) {
    if constexpr (std::is_floating_point_v<decltype(a)>) {
      return static_cast<double>(std::floor(static_cast<float>(a) / static_cast<float>(b)));
    } else {
      const auto quotient = ops::wrap_divide(a, b);
      return quotient * b != a && (a < 0) != (b < 0) ? quotient - 1 : quotient;
    }
  });
}

}  // namespace

extern const OpSpec kOp_tflite_floor_div;
const OpSpec kOp_tflite_floor_div{.name = "FLOOR_DIV",
                                  .domain = "tflite",
                                  .since = 1,
                                  .doc = "The quotient rounded down, any shape: output = floor(input1 / input2).",
                                  .inputs = kInputs,
                                  .outputs = kOutputs,
                                  .attributes = {},
                                  .infer = infer,
                                  .reference = reference,
                                  .examples = kExamples};

}  // namespace moru::model
