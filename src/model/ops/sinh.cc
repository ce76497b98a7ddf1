// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Around 0", R"(graph "sinh" {
  init x = float32[3] {0, 1, -2}
  y = Sinh(x)
  output y
})",
                                    "float32[3] {0, 1.1752012, -3.6268604}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::sinh(x); });
}

}  // namespace

extern const OpSpec kOp_sinh;
constinit const OpSpec kOp_sinh = ops::unary_op({.name = "Sinh",
                                                 .since = 9,
                                                 .doc = "Element by element, any shape: Y = (exp(X) - exp(-X)) / 2.",
                                                 .infer = ops::infer_unary<ops::kFloats>,
                                                 .reference = reference,
                                                 .examples = kExamples});

}  // namespace moru::model
