// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Against one number", R"(graph "less_or_equal" {
  init a = float32[3] {1, 2, 3}
  init b = float32[] {2}
  y = LessOrEqual(a, b)
  output y
})",
                                    "bool[3] {true, true, false}"}};

Status reference(EvalContext& context) {
  return ops::compare(context, [](auto a, auto b) { return a <= b; });
}

}  // namespace

extern const OpSpec kOp_less_or_equal;
constinit const OpSpec kOp_less_or_equal = ops::binary_op(
    {.name = "LessOrEqual",
     .since = 12,
     .doc = "Element by element, where the shapes stretch to each other (NumPy's rule): C = whether A <= B. With NaN it is false.",
     .infer = ops::infer_comparison<ops::kNumbers>,
     .reference = reference,
     .examples = kExamples});

}  // namespace moru::model
