// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "model/ops/support/reduce.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of each row", R"(graph "reduce_min" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init axes = int64[1] {1}
  y = ReduceMin(x, axes)
  output y
})",
                                    "float32[2, 1] {1, 3}"},
                                   {"Of all", R"(graph "reduce_min" {
  init x = float32[2, 2] {1, 2, 3, 4}
  y = ReduceMin(x) {keepdims = 0}
  output y
})",
                                    "float32[] {1}"}};

Status reference(EvalContext& context) {
  return ops::reference_reduce(context, []<class T, class W>(std::span<const W> values) {
    W smallest{};
    if constexpr (std::is_same_v<W, double>) {
      smallest = std::numeric_limits<double>::infinity();
    } else {
      smallest = static_cast<W>(std::numeric_limits<T>::max());
    }
    // A NaN is unlike itself: the first one stays.
    for (const W value : values) {
      if (value < smallest || ops::is_nan(value)) smallest = value;
    }
    return smallest;
  });
}

}  // namespace

extern const OpSpec kOp_reduce_min;
constinit const OpSpec kOp_reduce_min = ops::reduce_op("ReduceMin",
                                                       "Along axes, any shape: the smallest element, NaN where one is NaN. Of nothing it "
                                                       "is the highest number of the type, for floats infinity.",
                                                       ops::infer_reduce<ops::kNumbersAndBool>, reference, kExamples);

}  // namespace moru::model
