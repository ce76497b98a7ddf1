// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Angles in radians", R"(graph "asin" {
  init x = float32[3] {0, 0.5, -1}
  y = Asin(x)
  output y
})",
                                    "float32[3] {0, 0.5235988, -1.5707964}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::asin(x); });
}

}  // namespace

extern const OpSpec kOp_asin;
constinit const OpSpec kOp_asin =
    ops::unary_op({.name = "Asin",
                   .since = 7,
                   .doc = "Element by element, any shape: Y = the angle in radians whose sine is X; NaN outside [-1, 1].",
                   .infer = ops::infer_unary<ops::kFloats>,
                   .reference = reference,
                   .examples = kExamples});

}  // namespace moru::model
