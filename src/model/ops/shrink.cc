// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr AttributeSpec kAttributes[] = {{"bias", AttributeKind::kFloat, "taken off; 0"},
                                         {"lambd", AttributeKind::kFloat, "the threshold; 0.5"}};
constexpr OpExample kExamples[] = {{"Soft: what stays moves towards 0", R"(graph "shrink" {
  init x = float32[3] {-2, 0.25, 2}
  y = Shrink(x) {bias = 0.5}
  output y
})",
                                    "float32[3] {-1.5, 0, 1.5}"}};

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const double bias, ops::real_attribute(context.node, "bias", 0.0F));
  MORU_ASSIGN_OR_RETURN(const double lambd, ops::real_attribute(context.node, "lambd", 0.5F));
  return ops::map_floats(context, [bias, lambd](double x) { return x < -lambd ? x + bias : x > lambd ? x - bias : 0.0; });
}

}  // namespace

extern const OpSpec kOp_shrink;
constinit const OpSpec kOp_shrink =
    ops::unary_op({.name = "Shrink",
                   .since = 9,
                   .doc = "Element by element, any shape: Y = X + bias where X < -lambd, X - bias where X > lambd, else 0.",
                   .infer = ops::infer_unary<ops::kFloats>,
                   .reference = reference,
                   .examples = kExamples,
                   .attributes = kAttributes});

}  // namespace moru::model
