// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Small below 0, X above", R"(graph "mish" {
  init x = float32[3] {0, 1, -1}
  y = Mish(x)
  output y
})",
                                    "float32[3] {0, 0.8650984, -0.30340147}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return x * std::tanh(std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)))); });
}

}  // namespace

extern const OpSpec kOp_mish;
constinit const OpSpec kOp_mish =
    ops::unary_op({.name = "Mish",
                   .since = 18,
                   .doc = "Element by element, any shape: Y = X * tanh(ln(exp(X) + 1)), after Misra, \"Mish\" (2019).",
                   .infer = ops::infer_unary<ops::kFloats>,
                   .reference = reference,
                   .examples = kExamples});

}  // namespace moru::model
