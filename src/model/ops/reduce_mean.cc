// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/reduce.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of each row", R"(graph "reduce_mean" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init axes = int64[1] {1}
  y = ReduceMean(x, axes)
  output y
})",
                                    "float32[2, 1] {1.5, 3.5}"},
                                   {"Of all", R"(graph "reduce_mean" {
  init x = float32[2, 2] {1, 2, 3, 4}
  y = ReduceMean(x) {keepdims = 0}
  output y
})",
                                    "float32[] {2.5}"}};

Status reference(EvalContext& context) {
  return ops::reference_reduce(context, []<class T, class W>(std::span<const W> values) {
    const W sum = ops::sum_of(values, [](W x) { return x; });
    if constexpr (!std::is_same_v<W, double>) {
      if (values.empty()) return W{0};
    }
    return sum / static_cast<W>(values.size());
  });
}

}  // namespace

extern const OpSpec kOp_reduce_mean;
constinit const OpSpec kOp_reduce_mean = ops::reduce_op(
    "ReduceMean",
    "Along axes, any shape: the mean, made in double and rounded once; integers are cut towards 0. Of nothing it is NaN, or 0.",
    ops::infer_reduce<ops::kNumbers>, reference, kExamples);

}  // namespace moru::model
