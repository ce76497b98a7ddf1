// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr AttributeSpec kAttributes[] = {{"alpha", AttributeKind::kFloat, "the limit far below 0, negated; 1"}};
constexpr OpExample kExamples[] = {{"Flattens out at -1", R"(graph "elu" {
  init x = float32[3] {-1, 0, 2}
  y = Elu(x)
  output y
})",
                                    "float32[3] {-0.63212055, 0, 2}"}};

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const double alpha, ops::real_attribute(context.node, "alpha", 1.0F));
  return ops::map_floats(context, [alpha](double x) { return x < 0 ? alpha * std::expm1(x) : x; });
}

}  // namespace

extern const OpSpec kOp_elu;
constinit const OpSpec kOp_elu = ops::unary_op({.name = "Elu",
                                                .doc = "Element by element, any shape: Y = X where X >= 0, else alpha * (exp(X) - 1).",
                                                .infer = ops::infer_unary<ops::kFloats>,
                                                .reference = reference,
                                                .examples = kExamples,
                                                .attributes = kAttributes});

}  // namespace moru::model
