// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/arithmetic.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input1", "any shape"}, {"input2", "of the same type; the shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"output", "the shape that both stretch to"}};
constexpr AttributeSpec kAttributes[] = {
    {"fused_activation_function", AttributeKind::kString, "what follows: NONE, RELU, RELU6 or RELU_N1_TO_1"},
    {"pot_scale_int16", AttributeKind::kInt, "1: 16-bit scales that are powers of two are only shifted"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "add" {
  init a = float32[2] {6, -1}
  init b = float32[2] {3, 2}
  y: float32[2] = tflite::ADD(a, b)
  output y
})",
                                    "float32[2] {9, 1}"}};

Status infer(InferContext& context) { return tflite_ops::infer_broadcast(context, tflite_ops::kNumber); }

Status reference(EvalContext& context) { return tflite_ops::run_arithmetic(context, tflite_ops::Arithmetic::kAdd); }

}  // namespace

extern const OpSpec kOp_tflite_add;
const OpSpec kOp_tflite_add{.name = "ADD",
                            .domain = "tflite",
                            .since = 1,
                            .doc =
                                "The sum, any shape: output = activation(input1 + input2). Quantised inputs are brought to a common scale "
                                "20 bits (15 of 16-bit integers) finer first.",
                            .inputs = kInputs,
                            .outputs = kOutputs,
                            .attributes = kAttributes,
                            .infer = infer,
                            .reference = reference,
                            .examples = kExamples};

}  // namespace moru::model
