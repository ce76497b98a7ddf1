// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr AttributeSpec kAttributes[] = {{"alpha", AttributeKind::kFloat, "the limit far below 0, negated; 1"}};
constexpr OpExample kExamples[] = {{"Flattens out at -2", R"(graph "celu" {
  init x = float32[3] {-1, 0, 2}
  y = Celu(x) {alpha = 2.0}
  output y
})",
                                    "float32[3] {-0.78693867, 0, 2}"}};

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const double alpha, ops::real_attribute(context.node, "alpha", 1.0F));
  return ops::map_floats(context, [alpha](double x) { return x < 0 ? alpha * std::expm1(x / alpha) : x; });
}

}  // namespace

extern const OpSpec kOp_celu;
constinit const OpSpec kOp_celu =
    ops::unary_op({.name = "Celu",
                   .since = 12,
                   .doc = "Element by element, any shape: Y = max(0, X) + min(0, alpha * (exp(X / alpha) - 1)).",
                   .infer = ops::infer_unary<ops::kFloats>,
                   .reference = reference,
                   .examples = kExamples,
                   .attributes = kAttributes});

}  // namespace moru::model
