// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Powers of e", R"(graph "exp" {
  init x = float32[3] {0, 1, -1}
  y = Exp(x)
  output y
})",
                                    "float32[3] {1, 2.7182817, 0.36787945}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::exp(x); });
}

}  // namespace

extern const OpSpec kOp_exp;
constinit const OpSpec kOp_exp = ops::unary_op({.name = "Exp",
                                                .doc = "Element by element, any shape: Y = exp(X).",
                                                .infer = ops::infer_unary<ops::kFloats>,
                                                .reference = reference,
                                                .examples = kExamples});

}  // namespace moru::model
