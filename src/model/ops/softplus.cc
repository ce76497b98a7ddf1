// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"A smooth Relu", R"(graph "softplus" {
  init x = float32[3] {0, 1, -1}
  y = Softplus(x)
  output y
})",
                                    "float32[3] {0.6931472, 1.3132616, 0.3132617}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); });
}

}  // namespace

extern const OpSpec kOp_softplus;
constinit const OpSpec kOp_softplus = ops::unary_op({.name = "Softplus",
                                                     .doc = "Element by element, any shape: Y = ln(exp(X) + 1).",
                                                     .infer = ops::infer_unary<ops::kFloats>,
                                                     .reference = reference,
                                                     .examples = kExamples});

}  // namespace moru::model
