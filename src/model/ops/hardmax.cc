// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/support/lines.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"The winner", R"(graph "hardmax" {
  init x = float32[1, 4] {1, 3, 3, 2}
  y = Hardmax(x)
  output y
})",
                                    "float32[1, 4] {0, 1, 0, 0}"}};

Status reference(EvalContext& context) {
  return ops::map_lines(context, -1, [](std::span<const double> in, std::span<double> out) {
    std::ranges::fill(out, 0.0);
    if (!in.empty()) out[static_cast<std::size_t>(std::ranges::max_element(in) - in.begin())] = 1.0;
  });
}

}  // namespace

extern const OpSpec kOp_hardmax;
constinit const OpSpec kOp_hardmax = ops::softmax_op(
    "Hardmax", "Along one axis, any shape: 1 for the largest element (the first of equal ones), 0 for the others.", reference, kExamples);

}  // namespace moru::model
