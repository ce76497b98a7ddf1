// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "round" {
  init x = float32[2] {1.5, -2.5}
  y: float32[2] = tflite::ROUND(x)
  output y
})",
                                    "float32[2] {2, -2}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kFloat); }

Status reference(EvalContext& context) {
  return tflite_ops::map_floats(context, [](float x) { return std::nearbyint(x); });
}

}  // namespace

extern const OpSpec kOp_tflite_round;
const OpSpec kOp_tflite_round{.name = "ROUND",
                              .domain = "tflite",
                              .since = 1,
                              .doc = "The nearest integer, halves to the even one, any shape: y = round(x).",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attributes = {},
                              .infer = infer,
                              .reference = reference,
                              .examples = kExamples};

}  // namespace moru::model
