// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "model/ops/support/reduce.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of each row", R"(graph "reduce_log_sum_exp" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init axes = int64[1] {1}
  y = ReduceLogSumExp(x, axes)
  output y
})",
                                    "float32[2, 1] {2.3132617, 4.313262}"},
                                   {"Of all", R"(graph "reduce_log_sum_exp" {
  init x = float32[2, 2] {1, 2, 3, 4}
  y = ReduceLogSumExp(x) {keepdims = 0}
  output y
})",
                                    "float32[] {4.44019}"}};

Status reference(EvalContext& context) {
  return ops::reference_reduce(context, []<class T, class W>(std::span<const W> values) {
    if (values.empty()) return ops::from_real<W>(-std::numeric_limits<double>::infinity());
    // Without the largest taken off, exp() overflows; an infinite one is the result.
    const auto largest = static_cast<double>(*std::ranges::max_element(values));
    if (std::isinf(largest)) return ops::from_real<W>(largest);
    double sum = 0;
    for (const W value : values) sum += std::exp(static_cast<double>(value) - largest);
    return ops::from_real<W>(largest + std::log(sum));
  });
}

}  // namespace

extern const OpSpec kOp_reduce_log_sum_exp;
constinit const OpSpec kOp_reduce_log_sum_exp = ops::reduce_op(
    "ReduceLogSumExp", "Along axes, any shape: ln of the sum of exp(data), made in double and rounded once; integers are cut towards 0.",
    ops::infer_reduce<ops::kNumbers>, reference, kExamples);

}  // namespace moru::model
