// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/tflite/support/activation.h"
#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "tanh" {
  init x = float32[2] {0, 1}
  y: float32[2] = tflite::TANH(x)
  output y
})",
                                    "float32[2] {0, 0.7615942}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kReal); }

Status reference(EvalContext& context) {
  if (context.input(0).dtype() == DType::kInt16) return tflite_ops::tanh16(context);
  return tflite_ops::map_reals(context, [](float x) { return std::tanh(x); });
}

}  // namespace

extern const OpSpec kOp_tflite_tanh;
const OpSpec kOp_tflite_tanh{.name = "TANH",
                             .domain = "tflite",
                             .since = 1,
                             .doc =
                                 "The hyperbolic tangent, any shape: y = tanh(x). 8-bit integers go through a table, 16-bit ones through "
                                 "one of 256 entries.",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attributes = {},
                             .infer = infer,
                             .reference = reference,
                             .examples = kExamples};

}  // namespace moru::model
