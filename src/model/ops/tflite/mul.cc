// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/arithmetic.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input1", "any shape"}, {"input2", "of the same type; the shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"output", "the shape that both stretch to"}};
constexpr AttributeSpec kAttributes[] = {
    {"fused_activation_function", AttributeKind::kString, "what follows: NONE, RELU, RELU6 or RELU_N1_TO_1"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "mul" {
  init a = float32[2] {6, -1}
  init b = float32[2] {3, 2}
  y: float32[2] = tflite::MUL(a, b)
  output y
})",
                                    "float32[2] {18, -2}"}};

Status infer(InferContext& context) { return tflite_ops::infer_broadcast(context, tflite_ops::kNumber); }

Status reference(EvalContext& context) { return tflite_ops::run_arithmetic(context, tflite_ops::Arithmetic::kMultiply); }

}  // namespace

extern const OpSpec kOp_tflite_mul;
const OpSpec kOp_tflite_mul{.name = "MUL",
                            .domain = "tflite",
                            .since = 1,
                            .doc = "The product, any shape: output = activation(input1 * input2).",
                            .inputs = kInputs,
                            .outputs = kOutputs,
                            .attributes = kAttributes,
                            .infer = infer,
                            .reference = reference,
                            .examples = kExamples};

}  // namespace moru::model
