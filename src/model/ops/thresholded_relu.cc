// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr AttributeSpec kAttributes[] = {{"alpha", AttributeKind::kFloat, "the threshold; 1"}};
constexpr OpExample kExamples[] = {{"Only what is above 1 stays", R"(graph "thresholded_relu" {
  init x = float32[3] {-1, 1, 2}
  y = ThresholdedRelu(x)
  output y
})",
                                    "float32[3] {0, 0, 2}"}};

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const double alpha, ops::real_attribute(context.node, "alpha", 1.0F));
  return ops::map_floats(context, [alpha](double x) { return x > alpha || std::isnan(x) ? x : 0.0; });
}

}  // namespace

extern const OpSpec kOp_thresholded_relu;
constinit const OpSpec kOp_thresholded_relu = ops::unary_op({.name = "ThresholdedRelu",
                                                             .since = 10,
                                                             .doc = "Element by element, any shape: Y = X where X > alpha, else 0.",
                                                             .infer = ops::infer_unary<ops::kFloats>,
                                                             .reference = reference,
                                                             .examples = kExamples,
                                                             .attributes = kAttributes});

}  // namespace moru::model
