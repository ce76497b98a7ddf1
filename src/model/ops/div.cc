// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Floats", R"(graph "div" {
  init a = float32[3] {1, 2, 3}
  init b = float32[] {2}
  y = Div(a, b)
  output y
})",
                                    "float32[3] {0.5, 1, 1.5}"},
                                   {"Integers are cut towards 0", R"(graph "div" {
  init a = int32[2] {7, -7}
  init b = int32[1] {2}
  y = Div(a, b)
  output y
})",
                                    "int32[2] {3, -3}"}};

Status reference(EvalContext& context) {
  MORU_RETURN_IF_ERROR(ops::check_divisors(context, context.input(1)));
  return ops::zip_numbers(context, [](auto a, auto b) { return ops::wrap_divide(a, b); });
}

}  // namespace

extern const OpSpec kOp_div;
constinit const OpSpec kOp_div = ops::binary_op({.name = "Div",
                                                 .doc = "Element by element, where the shapes stretch to each other (NumPy's rule): C = A "
                                                        "/ B. Integers are cut towards 0; dividing them by 0 is an error.",
                                                 .infer = ops::infer_broadcast_same<ops::kNumbers>,
                                                 .reference = reference,
                                                 .examples = kExamples});

}  // namespace moru::model
