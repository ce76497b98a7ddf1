// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/reduce.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of each row", R"(graph "reduce_sum" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init axes = int64[1] {1}
  y = ReduceSum(x, axes)
  output y
})",
                                    "float32[2, 1] {3, 7}"},
                                   {"Of all", R"(graph "reduce_sum" {
  init x = float32[2, 2] {1, 2, 3, 4}
  y = ReduceSum(x) {keepdims = 0}
  output y
})",
                                    "float32[] {10}"}};

Status reference(EvalContext& context) {
  return ops::reference_reduce(context,
                               []<class T, class W>(std::span<const W> values) { return ops::sum_of(values, [](W x) { return x; }); });
}

}  // namespace

extern const OpSpec kOp_reduce_sum;
constinit const OpSpec kOp_reduce_sum = [] {
  OpSpec spec = ops::reduce_op("ReduceSum", "Along axes, any shape: the sum, made in double and rounded once; integers wrap around.",
                               ops::infer_reduce<ops::kNumbers>, reference, kExamples);
  spec.upgrade = ops::upgrade_reduce_sum;  // its axes became an input five opsets before those of the others
  spec.downgrade = nullptr;
  return spec;
}();

}  // namespace moru::model
