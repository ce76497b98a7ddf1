// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "model/ops/support/elementwise.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input1", "any shape"}, {"input2", "of the same type; the shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"output", "the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "pow" {
  init a = float32[2] {6, -1}
  init b = float32[2] {4, 2}
  y: float32[2] = tflite::POW(a, b)
  output y
})",
                                    "float32[2] {1296, 1}"}};

std::int32_t power(std::int32_t base, std::int32_t exponent) {
  std::uint32_t result = 1;
  for (auto factor = static_cast<std::uint32_t>(base); exponent > 0; exponent /= 2, factor *= factor) {
    if (exponent % 2 != 0) result *= factor;
  }
  return static_cast<std::int32_t>(result);
}

Status infer(InferContext& context) { return tflite_ops::infer_broadcast(context, {DType::kFloat32, DType::kInt32}); }

Status reference(EvalContext& context) {
  if (context.input(0).dtype() == DType::kFloat32) {
    ops::zip<float, float, float>(context.input(0), context.input(1), context.outputs[0], [](float a, float b) { return std::pow(a, b); });
    return {};
  }
  for (const std::int32_t exponent : context.input(1).data<std::int32_t>()) {
    if (exponent < 0) return fail(ErrorCode::kInvalidArgument, fmt::format("input 1: found exponent {}, expected 0 or more", exponent));
  }
  ops::zip<std::int32_t, std::int32_t, std::int32_t>(context.input(0), context.input(1), context.outputs[0], power);
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_pow;
const OpSpec kOp_tflite_pow{.name = "POW",
                            .domain = "tflite",
                            .since = 1,
                            .doc =
                                "The power, any shape: output = input1 ^ input2. Powers of integers wrap around; negative exponents of "
                                "them are an error.",
                            .inputs = kInputs,
                            .outputs = kOutputs,
                            .attributes = {},
                            .infer = infer,
                            .reference = reference,
                            .examples = kExamples};

}  // namespace moru::model
