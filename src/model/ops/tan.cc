// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of angles in radians", R"(graph "tan" {
  init x = float32[3] {0, 1, -1.2}
  y = Tan(x)
  output y
})",
                                    "float32[3] {0, 1.5574077, -2.5721517}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::tan(x); });
}

}  // namespace

extern const OpSpec kOp_tan;
constinit const OpSpec kOp_tan = ops::unary_op({.name = "Tan",
                                                .since = 7,
                                                .doc = "Element by element, any shape: Y = tan(X), X in radians.",
                                                .infer = ops::infer_unary<ops::kFloats>,
                                                .reference = reference,
                                                .examples = kExamples});

}  // namespace moru::model
