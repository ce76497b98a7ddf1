// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"0 is in the middle", R"(graph "sigmoid" {
  init x = float32[3] {-2, 0, 2}
  y = Sigmoid(x)
  output y
})",
                                    "float32[3] {0.11920292, 0.5, 0.8807971}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return 1.0 / (1.0 + std::exp(-x)); });
}

}  // namespace

extern const OpSpec kOp_sigmoid;
constinit const OpSpec kOp_sigmoid = ops::unary_op({.name = "Sigmoid",
                                                    .doc = "Element by element, any shape: Y = 1 / (1 + exp(-X)).",
                                                    .infer = ops::infer_unary<ops::kFloats>,
                                                    .reference = reference,
                                                    .examples = kExamples});

}  // namespace moru::model
