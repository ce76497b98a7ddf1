// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Bits of two numbers", R"(graph "bitwise_or" {
  init a = uint8[2] {6, 9}
  init b = uint8[2] {5, 3}
  y = BitwiseOr(a, b)
  output y
})",
                                    "uint8[2] {7, 11}"}};

Status reference(EvalContext& context) {
  return ops::zip_integers(context, [](auto a, auto b) { return a | b; });
}

}  // namespace

extern const OpSpec kOp_bitwise_or;
constinit const OpSpec kOp_bitwise_or =
    ops::binary_op({.name = "BitwiseOr",
                    .since = 18,
                    .doc = "Element by element, where the shapes stretch to each other (NumPy's rule): C = A | B, bit by bit.",
                    .infer = ops::infer_broadcast_same<ops::kIntegers>,
                    .reference = reference,
                    .examples = kExamples});

}  // namespace moru::model
