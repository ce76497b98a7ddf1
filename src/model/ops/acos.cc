// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Angles in radians", R"(graph "acos" {
  init x = float32[3] {0, 0.5, -1}
  y = Acos(x)
  output y
})",
                                    "float32[3] {1.5707964, 1.0471976, 3.1415927}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::acos(x); });
}

}  // namespace

extern const OpSpec kOp_acos;
constinit const OpSpec kOp_acos =
    ops::unary_op({.name = "Acos",
                   .since = 7,
                   .doc = "Element by element, any shape: Y = the angle in radians whose cosine is X; NaN outside [-1, 1].",
                   .infer = ops::infer_unary<ops::kFloats>,
                   .reference = reference,
                   .examples = kExamples});

}  // namespace moru::model
