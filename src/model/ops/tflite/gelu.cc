// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr AttributeSpec kAttributes[] = {{"approximate", AttributeKind::kInt, "1: by tanh"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "gelu" {
  init x = float32[2] {0, 1}
  y: float32[2] = tflite::GELU(x)
  output y
})",
                                    "float32[2] {0, 0.8413447}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kReal8); }

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t approximate, int_attribute(context.node, "approximate", 0));
  if (approximate == 0) return tflite_ops::map_reals(context, [](float x) { return x * 0.5F * std::erfc(x * -0.70710678118654752F); });
  return tflite_ops::map_reals(context,
                               [](float x) { return 0.5F * x * (1.0F + std::tanh(0.79788456080286536F * (x + 0.044715F * x * x * x))); });
}

}  // namespace

extern const OpSpec kOp_tflite_gelu;
const OpSpec kOp_tflite_gelu{.name = "GELU",
                             .domain = "tflite",
                             .since = 1,
                             .doc =
                                 "y = x * P(X <= x) of the normal distribution; with approximate, by tanh. Any shape. 8-bit integers go "
                                 "through a table.",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attributes = kAttributes,
                             .infer = infer,
                             .reference = reference,
                             .examples = kExamples};

}  // namespace moru::model
