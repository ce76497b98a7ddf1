// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of angles in radians", R"(graph "cos" {
  init x = float32[3] {0, 1, -2}
  y = Cos(x)
  output y
})",
                                    "float32[3] {1, 0.5403023, -0.41614684}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::cos(x); });
}

}  // namespace

extern const OpSpec kOp_cos;
constinit const OpSpec kOp_cos = ops::unary_op({.name = "Cos",
                                                .since = 7,
                                                .doc = "Element by element, any shape: Y = cos(X), X in radians.",
                                                .infer = ops::infer_unary<ops::kFloats>,
                                                .reference = reference,
                                                .examples = kExamples});

}  // namespace moru::model
