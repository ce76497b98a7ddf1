// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Square roots", R"(graph "sqrt" {
  init x = float32[3] {4, 2, 0}
  y = Sqrt(x)
  output y
})",
                                    "float32[3] {2, 1.4142135, 0}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::sqrt(x); });
}

}  // namespace

extern const OpSpec kOp_sqrt;
constinit const OpSpec kOp_sqrt = ops::unary_op({.name = "Sqrt",
                                                 .doc = "Element by element, any shape: Y = the square root of X; NaN below 0.",
                                                 .infer = ops::infer_unary<ops::kFloats>,
                                                 .reference = reference,
                                                 .examples = kExamples});

}  // namespace moru::model
