// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/reduce.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of each row", R"(graph "reduce_sum_square" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init axes = int64[1] {1}
  y = ReduceSumSquare(x, axes)
  output y
})",
                                    "float32[2, 1] {5, 25}"},
                                   {"Of all", R"(graph "reduce_sum_square" {
  init x = float32[2, 2] {1, 2, 3, 4}
  y = ReduceSumSquare(x) {keepdims = 0}
  output y
})",
                                    "float32[] {30}"}};

Status reference(EvalContext& context) {
  return ops::reference_reduce(context, []<class T, class W>(std::span<const W> values) {
    return ops::sum_of(values, [](W x) { return ops::wrap_multiply(x, x); });
  });
}

}  // namespace

extern const OpSpec kOp_reduce_sum_square;
constinit const OpSpec kOp_reduce_sum_square =
    ops::reduce_op("ReduceSumSquare", "Along axes, any shape: the sum of squares, made in double and rounded once; integers wrap around.",
                   ops::infer_reduce<ops::kNumbers>, reference, kExamples);

}  // namespace moru::model
