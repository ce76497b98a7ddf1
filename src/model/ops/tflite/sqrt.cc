// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "sqrt" {
  init x = float32[2] {4, 2.25}
  y: float32[2] = tflite::SQRT(x)
  output y
})",
                                    "float32[2] {2, 1.5}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kFloat); }

Status reference(EvalContext& context) {
  return tflite_ops::map_floats(context, [](float x) { return std::sqrt(x); });
}

}  // namespace

extern const OpSpec kOp_tflite_sqrt;
const OpSpec kOp_tflite_sqrt{.name = "SQRT",
                             .domain = "tflite",
                             .since = 1,
                             .doc = "The square root, any shape: y = sqrt(x).",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attributes = {},
                             .infer = infer,
                             .reference = reference,
                             .examples = kExamples};

}  // namespace moru::model
