// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of angles in radians", R"(graph "sin" {
  init x = float32[3] {0, 1, -2}
  y = Sin(x)
  output y
})",
                                    "float32[3] {0, 0.84147096, -0.9092974}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::sin(x); });
}

}  // namespace

extern const OpSpec kOp_sin;
constinit const OpSpec kOp_sin = ops::unary_op({.name = "Sin",
                                                .since = 7,
                                                .doc = "Element by element, any shape: Y = sin(X), X in radians.",
                                                .infer = ops::infer_unary<ops::kFloats>,
                                                .reference = reference,
                                                .examples = kExamples});

}  // namespace moru::model
