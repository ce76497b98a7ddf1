// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"The error function", R"(graph "erf" {
  init x = float32[3] {0, 0.5, -2}
  y = Erf(x)
  output y
})",
                                    "float32[3] {0, 0.5204999, -0.9953223}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::erf(x); });
}

}  // namespace

extern const OpSpec kOp_erf;
constinit const OpSpec kOp_erf =
    ops::unary_op({.name = "Erf",
                   .since = 9,
                   .doc = "Element by element, any shape: Y = 2 / sqrt(pi) * integral from 0 to X of exp(-t^2) dt.",
                   .infer = ops::infer_unary<ops::kFloats>,
                   .reference = reference,
                   .examples = kExamples});

}  // namespace moru::model
