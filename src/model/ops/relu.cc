// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Negative numbers become 0", R"(graph "relu" {
  init x = float32[3] {-1, 0.5, 2}
  y = Relu(x)
  output y
})",
                                    "float32[3] {0, 0.5, 2}"}};

Status reference(EvalContext& context) {
  return ops::map_numbers(context, []<class W>(W x) { return x < W{0} ? W{0} : x; });
}

}  // namespace

extern const OpSpec kOp_relu;
constinit const OpSpec kOp_relu = ops::unary_op({.name = "Relu",
                                                 .doc = "Element by element, any shape: Y = max(X, 0); NaN stays.",
                                                 .infer = ops::infer_unary<ops::kNumbers>,
                                                 .reference = reference,
                                                 .examples = kExamples});

}  // namespace moru::model
