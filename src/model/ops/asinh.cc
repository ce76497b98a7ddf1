// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"The inverse of Sinh", R"(graph "asinh" {
  init x = float32[3] {0, 1, -2}
  y = Asinh(x)
  output y
})",
                                    "float32[3] {0, 0.8813736, -1.4436355}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::asinh(x); });
}

}  // namespace

extern const OpSpec kOp_asinh;
constinit const OpSpec kOp_asinh = ops::unary_op({.name = "Asinh",
                                                  .since = 9,
                                                  .doc = "Element by element, any shape: Y = the number whose hyperbolic sine is X.",
                                                  .infer = ops::infer_unary<ops::kFloats>,
                                                  .reference = reference,
                                                  .examples = kExamples});

}  // namespace moru::model
