// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"One over", R"(graph "reciprocal" {
  init x = float32[3] {4, -0.5, 3}
  y = Reciprocal(x)
  output y
})",
                                    "float32[3] {0.25, -2, 0.33333334}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return 1.0 / x; });
}

}  // namespace

extern const OpSpec kOp_reciprocal;
constinit const OpSpec kOp_reciprocal = ops::unary_op({.name = "Reciprocal",
                                                       .doc = "Element by element, any shape: Y = 1 / X.",
                                                       .infer = ops::infer_unary<ops::kFloats>,
                                                       .reference = reference,
                                                       .examples = kExamples});

}  // namespace moru::model
