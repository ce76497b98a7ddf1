// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"A column and a row make a table", R"(graph "mul" {
  init a = float32[2, 1] {1, 10}
  init b = float32[3] {1, 2, 3}
  y = Mul(a, b)
  output y
})",
                                    "float32[2, 3] {1, 2, 3, 10, 20, 30}"}};

Status reference(EvalContext& context) {
  return ops::zip_numbers(context, [](auto a, auto b) { return ops::wrap_multiply(a, b); });
}

}  // namespace

extern const OpSpec kOp_mul;
constinit const OpSpec kOp_mul =
    ops::binary_op({.name = "Mul",
                    .doc = "Element by element, where the shapes stretch to each other (NumPy's rule): C = A * B. Integers wrap around.",
                    .infer = ops::infer_broadcast_same<ops::kNumbers>,
                    .reference = reference,
                    .examples = kExamples});

}  // namespace moru::model
