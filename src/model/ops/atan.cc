// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Angles in radians", R"(graph "atan" {
  init x = float32[3] {0, 0.5, -1e+01}
  y = Atan(x)
  output y
})",
                                    "float32[3] {0, 0.4636476, -1.4711276}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::atan(x); });
}

}  // namespace

extern const OpSpec kOp_atan;
constinit const OpSpec kOp_atan = ops::unary_op({.name = "Atan",
                                                 .since = 7,
                                                 .doc = "Element by element, any shape: Y = the angle in radians whose tangent is X.",
                                                 .infer = ops::infer_unary<ops::kFloats>,
                                                 .reference = reference,
                                                 .examples = kExamples});

}  // namespace moru::model
