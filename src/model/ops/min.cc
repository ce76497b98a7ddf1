// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Three shapes", R"(graph "min" {
  init a = float32[2] {1, 5}
  init b = float32[1] {2}
  init c = float32[] {3}
  y = Min(a, b, c)
  output y
})",
                                    "float32[2] {1, 2}"}};

Status reference(EvalContext& context) {
  // A NaN is unlike itself: the first one stays.
  return ops::fold_numbers(
      context, [](auto a, auto b) { return b < a || ops::is_nan(b) ? b : a; }, [](auto smallest, auto /*count*/) { return smallest; });
}

}  // namespace

extern const OpSpec kOp_min;
constinit const OpSpec kOp_min = ops::variadic_op(
    {.name = "Min",
     .doc = "Element by element, where all shapes stretch to each other (NumPy's rule): the smallest of all inputs; NaN where one is NaN.",
     .infer = ops::infer_broadcast_same<ops::kNumbers>,
     .reference = reference,
     .examples = kExamples});

}  // namespace moru::model
