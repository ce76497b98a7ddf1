// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/support/reduce.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of each row", R"(graph "reduce_l2" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init axes = int64[1] {1}
  y = ReduceL2(x, axes)
  output y
})",
                                    "float32[2, 1] {2.236068, 5}"},
                                   {"Of all", R"(graph "reduce_l2" {
  init x = float32[2, 2] {1, 2, 3, 4}
  y = ReduceL2(x) {keepdims = 0}
  output y
})",
                                    "float32[] {5.477226}"}};

Status reference(EvalContext& context) {
  return ops::reference_reduce(context, []<class T, class W>(std::span<const W> values) {
    double sum = 0;
    for (const W value : values) sum += static_cast<double>(value) * static_cast<double>(value);
    return ops::from_real<W>(std::sqrt(sum));
  });
}

}  // namespace

extern const OpSpec kOp_reduce_l2;
constinit const OpSpec kOp_reduce_l2 = ops::reduce_op(
    "ReduceL2",
    "Along axes, any shape: the square root of the sum of squares, made in double and rounded once; integers are cut towards 0.",
    ops::infer_reduce<ops::kNumbers>, reference, kExamples);

}  // namespace moru::model
