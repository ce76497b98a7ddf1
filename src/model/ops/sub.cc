// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"A number is taken off each", R"(graph "sub" {
  init a = float32[3] {1, 2, 3}
  init b = float32[] {1}
  y = Sub(a, b)
  output y
})",
                                    "float32[3] {0, 1, 2}"}};

Status reference(EvalContext& context) {
  return ops::zip_numbers(context, [](auto a, auto b) { return ops::wrap_subtract(a, b); });
}

}  // namespace

extern const OpSpec kOp_sub;
constinit const OpSpec kOp_sub =
    ops::binary_op({.name = "Sub",
                    .doc = "Element by element, where the shapes stretch to each other (NumPy's rule): C = A - B. Integers wrap around.",
                    .infer = ops::infer_broadcast_same<ops::kNumbers>,
                    .reference = reference,
                    .examples = kExamples});

}  // namespace moru::model
