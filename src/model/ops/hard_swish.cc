// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"0 far below 0, X far above", R"(graph "hard_swish" {
  init x = float32[4] {-4, -1, 1, 4}
  y = HardSwish(x)
  output y
})",
                                    "float32[4] {0, -0.33333334, 0.6666667, 4}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return x * std::clamp(x / 6.0 + 0.5, 0.0, 1.0); });
}

}  // namespace

extern const OpSpec kOp_hard_swish;
constinit const OpSpec kOp_hard_swish = ops::unary_op({.name = "HardSwish",
                                                       .since = 14,
                                                       .doc = "Element by element, any shape: Y = X * max(0, min(1, X / 6 + 1 / 2)).",
                                                       .infer = ops::infer_unary<ops::kFloats>,
                                                       .reference = reference,
                                                       .examples = kExamples});

}  // namespace moru::model
