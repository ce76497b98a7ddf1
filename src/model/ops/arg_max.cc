// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/lines.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of equal ones the first", R"(graph "arg_max" {
  init x = float32[4] {1, 3, 3, 1}
  y = ArgMax(x)
  output y
})",
                                    "int64[1] {1}"},
                                   {"Of equal ones the last", R"(graph "arg_max" {
  init x = float32[4] {1, 3, 3, 1}
  y = ArgMax(x) {keepdims = 0, select_last_index = 1}
  output y
})",
                                    "int64[] {2}"}};

Status reference(EvalContext& context) {
  return ops::reference_arg(context, [](auto a, auto b) { return a > b; });
}

}  // namespace

extern const OpSpec kOp_arg_max;
constinit const OpSpec kOp_arg_max =
    ops::arg_op("ArgMax", "Along one axis, any shape: the place of the largest element.", reference, kExamples);

}  // namespace moru::model
