// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Three shapes", R"(graph "sum" {
  init a = float32[2] {1, 5}
  init b = float32[1] {2}
  init c = float32[] {3}
  y = Sum(a, b, c)
  output y
})",
                                    "float32[2] {6, 10}"}};

Status reference(EvalContext& context) {
  return ops::fold_numbers(context, [](auto a, auto b) { return ops::wrap_add(a, b); }, [](auto sum, auto /*count*/) { return sum; });
}

}  // namespace

extern const OpSpec kOp_sum;
constinit const OpSpec kOp_sum = ops::variadic_op({.name = "Sum",
                                                   .doc = "Element by element, where all shapes stretch to each other (NumPy's rule): the "
                                                          "sum of all inputs, made in double and rounded once.",
                                                   .infer = ops::infer_broadcast_same<ops::kFloats>,
                                                   .reference = reference,
                                                   .examples = kExamples});

}  // namespace moru::model
