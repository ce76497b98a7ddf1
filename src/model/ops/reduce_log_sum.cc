// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/support/reduce.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of each row", R"(graph "reduce_log_sum" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init axes = int64[1] {1}
  y = ReduceLogSum(x, axes)
  output y
})",
                                    "float32[2, 1] {1.0986123, 1.9459101}"},
                                   {"Of all", R"(graph "reduce_log_sum" {
  init x = float32[2, 2] {1, 2, 3, 4}
  y = ReduceLogSum(x) {keepdims = 0}
  output y
})",
                                    "float32[] {2.3025851}"}};

Status reference(EvalContext& context) {
  return ops::reference_reduce(context, []<class T, class W>(std::span<const W> values) {
    double sum = 0;
    for (const W value : values) sum += static_cast<double>(value);
    return ops::from_real<W>(std::log(sum));
  });
}

}  // namespace

extern const OpSpec kOp_reduce_log_sum;
constinit const OpSpec kOp_reduce_log_sum =
    ops::reduce_op("ReduceLogSum", "Along axes, any shape: ln of the sum, made in double and rounded once; integers are cut towards 0.",
                   ops::infer_reduce<ops::kNumbers>, reference, kExamples);

}  // namespace moru::model
