// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Three answers", R"(graph "sign" {
  init x = float32[3] {-1.5, 0, 2}
  y = Sign(x)
  output y
})",
                                    "float32[3] {-1, 0, 1}"}};

Status reference(EvalContext& context) {
  return ops::map_numbers(context, []<class W>(W x) { return x > W{0} ? W{1} : x < W{0} ? static_cast<W>(-1) : x; });
}

}  // namespace

extern const OpSpec kOp_sign;
constinit const OpSpec kOp_sign =
    ops::unary_op({.name = "Sign",
                   .since = 9,
                   .doc = "Element by element, any shape: Y = 1 where X > 0, -1 where X < 0, 0 where X is 0; NaN stays.",
                   .infer = ops::infer_unary<ops::kNumbers>,
                   .reference = reference,
                   .examples = kExamples});

}  // namespace moru::model
