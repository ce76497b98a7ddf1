// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Halves go to the even neighbour", R"(graph "round" {
  init x = float32[4] {0.5, 1.5, -2.5, 2.6}
  y = Round(x)
  output y
})",
                                    "float32[4] {0, 2, -2, 3}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::nearbyint(x); });
}

}  // namespace

extern const OpSpec kOp_round;
constinit const OpSpec kOp_round =
    ops::unary_op({.name = "Round",
                   .since = 11,
                   .doc = "Element by element, any shape: Y = the nearest whole number, halves to the even one.",
                   .infer = ops::infer_unary<ops::kFloats>,
                   .reference = reference,
                   .examples = kExamples});

}  // namespace moru::model
