// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Without sign", R"(graph "abs" {
  init x = float32[3] {-1.5, 0, 2}
  y = Abs(x)
  output y
})",
                                    "float32[3] {1.5, 0, 2}"}};

Status reference(EvalContext& context) {
  return ops::map_numbers(context, []<class W>(W x) {
    if constexpr (std::is_same_v<W, double>)
      return std::abs(x);
    else
      return x < W{0} ? ops::wrap_subtract(W{0}, x) : x;
  });
}

}  // namespace

extern const OpSpec kOp_abs;
constinit const OpSpec kOp_abs =
    ops::unary_op({.name = "Abs",
                   .doc = "Element by element, any shape: Y = |X|. The lowest integer of a type wraps around to itself.",
                   .infer = ops::infer_unary<ops::kNumbers>,
                   .reference = reference,
                   .examples = kExamples});

}  // namespace moru::model
