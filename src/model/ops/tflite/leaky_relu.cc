// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/activation.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr AttributeSpec kAttributes[] = {{"alpha", AttributeKind::kFloat, "factor"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "leaky_relu" {
  init x = float32[2] {3, -2}
  y: float32[2] = tflite::LEAKY_RELU(x) {alpha = 0.5}
  output y
})",
                                    "float32[2] {3, -1}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kReal); }

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const float alpha, float_attribute(context.node, "alpha", 0));
  return tflite_ops::run_leaky_relu(context, alpha);
}

}  // namespace

extern const OpSpec kOp_tflite_leaky_relu;
const OpSpec kOp_tflite_leaky_relu{
    .name = "LEAKY_RELU",
    .domain = "tflite",
    .since = 1,
    .doc = "y = x above 0, alpha * x below, any shape. Quantised ones may have another scale than the output.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
