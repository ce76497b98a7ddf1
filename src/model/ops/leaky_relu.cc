// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr AttributeSpec kAttributes[] = {{"alpha", AttributeKind::kFloat, "slope below 0; 0.01"}};
constexpr OpExample kExamples[] = {{"A tenth of what is below 0", R"(graph "leaky_relu" {
  init x = float32[3] {-1, 0.5, 2}
  y = LeakyRelu(x) {alpha = 0.1}
  output y
})",
                                    "float32[3] {-0.1, 0.5, 2}"}};

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const double alpha, ops::real_attribute(context.node, "alpha", 0.01F));
  return ops::map_floats(context, [alpha](double x) { return x < 0 ? alpha * x : x; });
}

}  // namespace

extern const OpSpec kOp_leaky_relu;
constinit const OpSpec kOp_leaky_relu = ops::unary_op({.name = "LeakyRelu",
                                                       .doc = "Element by element, any shape: Y = X where X >= 0, else alpha * X.",
                                                       .infer = ops::infer_unary<ops::kFloats>,
                                                       .reference = reference,
                                                       .examples = kExamples,
                                                       .attributes = kAttributes});

}  // namespace moru::model
