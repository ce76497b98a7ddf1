// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr AttributeSpec kAttributes[] = {{"detect_negative", AttributeKind::kInt, "0: -inf does not count; 1"},
                                         {"detect_positive", AttributeKind::kInt, "0: inf does not count; 1"}};
constexpr OpExample kExamples[] = {{"Both signs", R"(graph "is_inf" {
  init x = float32[3] {-inf, 1, inf}
  y = IsInf(x)
  output y
})",
                                    "bool[3] {true, false, true}"},
                                   {"Only above", R"(graph "is_inf" {
  init x = float32[2] {-inf, inf}
  y = IsInf(x) {detect_negative = 0}
  output y
})",
                                    "bool[2] {false, true}"}};

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t negative, int_attribute(context.node, "detect_negative", 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t positive, int_attribute(context.node, "detect_positive", 1));
  return ops::test_floats(context, [=](double x) { return std::isinf(x) && (x < 0 ? negative : positive) != 0; });
}

}  // namespace

extern const OpSpec kOp_is_inf;
constinit const OpSpec kOp_is_inf = ops::unary_op({.name = "IsInf",
                                                   .since = 10,
                                                   .doc = "Element by element, any shape: whether X is infinite.",
                                                   .infer = ops::infer_unary_predicate<ops::kFloats>,
                                                   .reference = reference,
                                                   .examples = kExamples,
                                                   .attributes = kAttributes});

}  // namespace moru::model
