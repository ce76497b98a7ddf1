// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "square" {
  init x = float32[2] {4, -1.5}
  y: float32[2] = tflite::SQUARE(x)
  output y
})",
                                    "float32[2] {16, 2.25}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kFloat); }

Status reference(EvalContext& context) {
  return tflite_ops::map_floats(context, [](float x) { return x * x; });
}

}  // namespace

extern const OpSpec kOp_tflite_square;
const OpSpec kOp_tflite_square{.name = "SQUARE",
                               .domain = "tflite",
                               .since = 1,
                               .doc = "The square, any shape: y = x * x.",
                               .inputs = kInputs,
                               .outputs = kOutputs,
                               .attributes = {},
                               .infer = infer,
                               .reference = reference,
                               .examples = kExamples};

}  // namespace moru::model
