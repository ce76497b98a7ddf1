// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/arithmetic.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input1", "any shape"}, {"input2", "of the same type; the shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"output", "the shape that both stretch to"}};
constexpr AttributeSpec kAttributes[] = {
    {"fused_activation_function", AttributeKind::kString, "what follows: NONE, RELU, RELU6 or RELU_N1_TO_1"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "div" {
  init a = float32[2] {6, -1}
  init b = float32[2] {3, 2}
  y: float32[2] = tflite::DIV(a, b)
  output y
})",
                                    "float32[2] {2, -0.5}"}};

Status infer(InferContext& context) { return tflite_ops::infer_broadcast(context, {DType::kFloat32, DType::kInt32}); }

Status reference(EvalContext& context) { return tflite_ops::run_arithmetic(context, tflite_ops::Arithmetic::kDivide); }

}  // namespace

extern const OpSpec kOp_tflite_div;
const OpSpec kOp_tflite_div{.name = "DIV",
                            .domain = "tflite",
                            .since = 1,
                            .doc = "The quotient, any shape: output = activation(input1 / input2). Integers are cut towards 0.",
                            .inputs = kInputs,
                            .outputs = kOutputs,
                            .attributes = kAttributes,
                            .infer = infer,
                            .reference = reference,
                            .examples = kExamples};

}  // namespace moru::model
