// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/softmax.h"

#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape but a scalar"}};
constexpr PortSpec kOutputs[] = {{"output", "as input"}};
constexpr AttributeSpec kAttributes[] = {{"beta", AttributeKind::kFloat, "factor of the inputs"}};
constexpr OpExample kExamples[] = {{"Scores become probabilities", R"(graph "softmax" {
  init x = float32[1, 3] {1, 2, 3}
  y: float32[1, 3] = tflite::SOFTMAX(x) {beta = 1.0}
  output y
})",
                                    "float32[1, 3] {0.09003057, 0.24472848, 0.66524094}"}};

Status infer(InferContext& context) {
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x != nullptr && x->empty()) return ops::input_error(context, 0, "found a scalar, expected at least one axis");
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, tflite_ops::kReal));
  const auto declared = context.declared_output(0).dtype;
  const bool widened = declared == DType::kInt16 && context.input(0).dtype != DType::kFloat32;
  context.set_output(0, {widened ? declared : context.input(0).dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const float beta, float_attribute(context.node, "beta", 1));
  return tflite_ops::run_softmax(context, beta);
}

}  // namespace

extern const OpSpec kOp_tflite_softmax;
const OpSpec kOp_tflite_softmax{
    .name = "SOFTMAX",
    .domain = "tflite",
    .since = 1,
    .doc =
        "Along the last axis: output[i] = exp(beta * input[i]) / sum over j of exp(beta * input[j]). 8-bit inputs "
        "go through a table of float exponentials, 16-bit ones through tables of 513 entries.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
