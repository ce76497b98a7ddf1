// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"A row is added to each row", R"(graph "add" {
  init a = float32[2, 2] {1, 2, 3, 4}
  init b = float32[2] {10, 20}
  y = Add(a, b)
  output y
})",
                                    "float32[2, 2] {11, 22, 13, 24}"}};

Status reference(EvalContext& context) {
  return ops::zip_numbers(context, [](auto a, auto b) { return ops::wrap_add(a, b); });
}

}  // namespace

extern const OpSpec kOp_add;
constinit const OpSpec kOp_add =
    ops::binary_op({.name = "Add",
                    .doc = "Element by element, where the shapes stretch to each other (NumPy's rule): C = A + B. Integers wrap around.",
                    .infer = ops::infer_broadcast_same<ops::kNumbers>,
                    .reference = reference,
                    .examples = kExamples});

}  // namespace moru::model
