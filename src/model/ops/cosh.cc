// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Around 0", R"(graph "cosh" {
  init x = float32[3] {0, 1, -2}
  y = Cosh(x)
  output y
})",
                                    "float32[3] {1, 1.5430807, 3.7621956}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::cosh(x); });
}

}  // namespace

extern const OpSpec kOp_cosh;
constinit const OpSpec kOp_cosh = ops::unary_op({.name = "Cosh",
                                                 .since = 9,
                                                 .doc = "Element by element, any shape: Y = (exp(X) + exp(-X)) / 2.",
                                                 .infer = ops::infer_unary<ops::kFloats>,
                                                 .reference = reference,
                                                 .examples = kExamples});

}  // namespace moru::model
