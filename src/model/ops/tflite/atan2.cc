// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/support/elementwise.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input1", "any shape"}, {"input2", "of the same type; the shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"output", "the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "atan2" {
  init a = float32[2] {6, -1}
  init b = float32[2] {4, 2}
  y: float32[2] = tflite::ATAN2(a, b)
  output y
})",
                                    "float32[2] {0.98279375, -0.4636476}"}};

Status infer(InferContext& context) { return tflite_ops::infer_broadcast(context, tflite_ops::kFloat); }

Status reference(EvalContext& context) {
  ops::zip<float, float, float>(context.input(0), context.input(1), context.outputs[0], [](float a, float b) { return std::atan2(a, b); });
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_atan2;
const OpSpec kOp_tflite_atan2{.name = "ATAN2",
                              .domain = "tflite",
                              .since = 1,
                              .doc = "The angle of the point (input2, input1), any shape: output = atan2(input1, input2).",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attributes = {},
                              .infer = infer,
                              .reference = reference,
                              .examples = kExamples};

}  // namespace moru::model
