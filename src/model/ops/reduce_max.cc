// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "model/ops/support/reduce.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of each row", R"(graph "reduce_max" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init axes = int64[1] {1}
  y = ReduceMax(x, axes)
  output y
})",
                                    "float32[2, 1] {2, 4}"},
                                   {"Of all", R"(graph "reduce_max" {
  init x = float32[2, 2] {1, 2, 3, 4}
  y = ReduceMax(x) {keepdims = 0}
  output y
})",
                                    "float32[] {4}"}};

Status reference(EvalContext& context) {
  return ops::reference_reduce(context, []<class T, class W>(std::span<const W> values) {
    W largest{};
    if constexpr (std::is_same_v<W, double>) {
      largest = -std::numeric_limits<double>::infinity();
    } else {
      largest = static_cast<W>(std::numeric_limits<T>::lowest());
    }
    // A NaN is unlike itself: the first one stays.
    for (const W value : values) {
      if (value > largest || ops::is_nan(value)) largest = value;
    }
    return largest;
  });
}

}  // namespace

extern const OpSpec kOp_reduce_max;
constinit const OpSpec kOp_reduce_max = ops::reduce_op("ReduceMax",
                                                       "Along axes, any shape: the largest element, NaN where one is NaN. Of nothing it is "
                                                       "the lowest number of the type, for floats -infinity.",
                                                       ops::infer_reduce<ops::kNumbersAndBool>, reference, kExamples);

}  // namespace moru::model
