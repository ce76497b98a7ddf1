// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Around 0", R"(graph "tanh" {
  init x = float32[3] {0, 1, -2}
  y = Tanh(x)
  output y
})",
                                    "float32[3] {0, 0.7615942, -0.9640276}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::tanh(x); });
}

}  // namespace

extern const OpSpec kOp_tanh;
constinit const OpSpec kOp_tanh = ops::unary_op({.name = "Tanh",
                                                 .doc = "Element by element, any shape: Y = (exp(X) - exp(-X)) / (exp(X) + exp(-X)).",
                                                 .infer = ops::infer_unary<ops::kFloats>,
                                                 .reference = reference,
                                                 .examples = kExamples});

}  // namespace moru::model
