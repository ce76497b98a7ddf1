// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Between -1 and 1", R"(graph "softsign" {
  init x = float32[3] {0, 1, -3}
  y = Softsign(x)
  output y
})",
                                    "float32[3] {0, 0.5, -0.75}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return x / (1.0 + std::abs(x)); });
}

}  // namespace

extern const OpSpec kOp_softsign;
constinit const OpSpec kOp_softsign = ops::unary_op({.name = "Softsign",
                                                     .doc = "Element by element, any shape: Y = X / (1 + |X|).",
                                                     .infer = ops::infer_unary<ops::kFloats>,
                                                     .reference = reference,
                                                     .examples = kExamples});

}  // namespace moru::model
