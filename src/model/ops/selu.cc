// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr AttributeSpec kAttributes[] = {{"alpha", AttributeKind::kFloat, "the limit far below 0 before scaling, negated; 1.6732632"},
                                         {"gamma", AttributeKind::kFloat, "factor of all; 1.050701"}};
constexpr OpExample kExamples[] = {{"Scaled", R"(graph "selu" {
  init x = float32[3] {-1, 0, 2}
  y = Selu(x)
  output y
})",
                                    "float32[3] {-1.1113307, 0, 2.101402}"}};

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const double alpha, ops::real_attribute(context.node, "alpha", 1.67326319217681884765625F));
  MORU_ASSIGN_OR_RETURN(const double gamma, ops::real_attribute(context.node, "gamma", 1.05070102214813232421875F));
  return ops::map_floats(context, [alpha, gamma](double x) { return gamma * (x <= 0 ? alpha * std::expm1(x) : x); });
}

/// Before opset 6 the defaults were rounded to four digits behind the point.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset < 6) {
    rewrite.node.attributes.try_emplace("alpha", 1.6732F);
    rewrite.node.attributes.try_emplace("gamma", 1.0507F);
  }
  return ops::drop_consumed_inputs(rewrite);
}

}  // namespace

extern const OpSpec kOp_selu;
constinit const OpSpec kOp_selu =
    ops::unary_op({.name = "Selu",
                   .doc = "Element by element, any shape: Y = gamma * X where X > 0, else gamma * alpha * (exp(X) - 1), after Klambauer et "
                          "al., \"Self-Normalizing Neural Networks\" (2017).",
                   .infer = ops::infer_unary<ops::kFloats>,
                   .reference = reference,
                   .examples = kExamples,
                   .attributes = kAttributes,
                   .upgrade = upgrade});

}  // namespace moru::model
