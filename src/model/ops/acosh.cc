// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"The inverse of Cosh", R"(graph "acosh" {
  init x = float32[3] {1, 2, 1e+01}
  y = Acosh(x)
  output y
})",
                                    "float32[3] {0, 1.316958, 2.993223}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::acosh(x); });
}

}  // namespace

extern const OpSpec kOp_acosh;
constinit const OpSpec kOp_acosh = ops::unary_op({.name = "Acosh",
                                                  .since = 9,
                                                  .doc = "Element by element, any shape: Y = the number whose hyperbolic cosine is X.",
                                                  .infer = ops::infer_unary<ops::kFloats>,
                                                  .reference = reference,
                                                  .examples = kExamples});

}  // namespace moru::model
