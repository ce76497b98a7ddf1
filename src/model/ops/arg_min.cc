// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/lines.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of equal ones the first", R"(graph "arg_min" {
  init x = float32[4] {1, 3, 3, 1}
  y = ArgMin(x)
  output y
})",
                                    "int64[1] {0}"},
                                   {"Of equal ones the last", R"(graph "arg_min" {
  init x = float32[4] {1, 3, 3, 1}
  y = ArgMin(x) {keepdims = 0, select_last_index = 1}
  output y
})",
                                    "int64[] {3}"}};

Status reference(EvalContext& context) {
  return ops::reference_arg(context, [](auto a, auto b) { return a < b; });
}

}  // namespace

extern const OpSpec kOp_arg_min;
constinit const OpSpec kOp_arg_min =
    ops::arg_op("ArgMin", "Along one axis, any shape: the place of the smallest element.", reference, kExamples);

}  // namespace moru::model
