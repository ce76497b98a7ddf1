// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Up, also below 0", R"(graph "ceil" {
  init x = float32[3] {1.5, -1.5, 2}
  y = Ceil(x)
  output y
})",
                                    "float32[3] {2, -1, 2}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::ceil(x); });
}

}  // namespace

extern const OpSpec kOp_ceil;
constinit const OpSpec kOp_ceil = ops::unary_op({.name = "Ceil",
                                                 .doc = "Element by element, any shape: Y = the smallest whole number not below X.",
                                                 .infer = ops::infer_unary<ops::kFloats>,
                                                 .reference = reference,
                                                 .examples = kExamples});

}  // namespace moru::model
