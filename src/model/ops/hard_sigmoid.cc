// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr AttributeSpec kAttributes[] = {{"alpha", AttributeKind::kFloat, "slope in the middle; 0.2"},
                                         {"beta", AttributeKind::kFloat, "the value at 0; 0.5"}};
constexpr OpExample kExamples[] = {{"A sigmoid of straight lines", R"(graph "hard_sigmoid" {
  init x = float32[4] {-3, 0, 1, 3}
  y = HardSigmoid(x)
  output y
})",
                                    "float32[4] {0, 0.5, 0.7, 1}"}};

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const double alpha, ops::real_attribute(context.node, "alpha", 0.2F));
  MORU_ASSIGN_OR_RETURN(const double beta, ops::real_attribute(context.node, "beta", 0.5F));
  return ops::map_floats(context, [alpha, beta](double x) { return std::clamp(alpha * x + beta, 0.0, 1.0); });
}

}  // namespace

extern const OpSpec kOp_hard_sigmoid;
constinit const OpSpec kOp_hard_sigmoid = ops::unary_op({.name = "HardSigmoid",
                                                         .doc = "Element by element, any shape: Y = max(0, min(1, alpha * X + beta)).",
                                                         .infer = ops::infer_unary<ops::kFloats>,
                                                         .reference = reference,
                                                         .examples = kExamples,
                                                         .attributes = kAttributes});

}  // namespace moru::model
