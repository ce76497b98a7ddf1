// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/reduce.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of each row", R"(graph "reduce_l1" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init axes = int64[1] {1}
  y = ReduceL1(x, axes)
  output y
})",
                                    "float32[2, 1] {3, 7}"},
                                   {"Of all", R"(graph "reduce_l1" {
  init x = float32[2, 2] {1, 2, 3, 4}
  y = ReduceL1(x) {keepdims = 0}
  output y
})",
                                    "float32[] {10}"}};

Status reference(EvalContext& context) {
  return ops::reference_reduce(context, []<class T, class W>(std::span<const W> values) {
    return ops::sum_of(values, [](W x) { return x < W{0} ? ops::wrap_subtract(W{0}, x) : x; });
  });
}

}  // namespace

extern const OpSpec kOp_reduce_l1;
constinit const OpSpec kOp_reduce_l1 =
    ops::reduce_op("ReduceL1", "Along axes, any shape: the sum of absolute values, made in double and rounded once; integers wrap around.",
                   ops::infer_reduce<ops::kNumbers>, reference, kExamples);

}  // namespace moru::model
