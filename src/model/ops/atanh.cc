// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"The inverse of Tanh", R"(graph "atanh" {
  init x = float32[3] {0, 0.5, -0.9}
  y = Atanh(x)
  output y
})",
                                    "float32[3] {0, 0.54930615, -1.4722195}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::atanh(x); });
}

}  // namespace

extern const OpSpec kOp_atanh;
constinit const OpSpec kOp_atanh = ops::unary_op({.name = "Atanh",
                                                  .since = 9,
                                                  .doc = "Element by element, any shape: Y = the number whose hyperbolic tangent is X.",
                                                  .infer = ops::infer_unary<ops::kFloats>,
                                                  .reference = reference,
                                                  .examples = kExamples});

}  // namespace moru::model
