// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/ops/support/lines.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Scores become probabilities", R"(graph "softmax" {
  init x = float32[1, 3] {1, 2, 3}
  y = Softmax(x)
  output y
})",
                                    "float32[1, 3] {0.09003057, 0.24472848, 0.66524094}"}};

Status reference(EvalContext& context) {
  return ops::map_lines(context, -1, [](std::span<const double> in, std::span<double> out) {
    if (in.empty()) return;
    // Without the largest taken off, exp() overflows.
    const double largest = *std::ranges::max_element(in);
    double sum = 0;
    for (std::size_t i = 0; i < in.size(); ++i) sum += out[i] = std::exp(in[i] - largest);
    for (double& value : out) value /= sum;
  });
}

}  // namespace

extern const OpSpec kOp_softmax;
constinit const OpSpec kOp_softmax =
    ops::softmax_op("Softmax", "Along one axis, any shape: output[i] = exp(input[i]) / sum over j of exp(input[j]).", reference, kExamples);

}  // namespace moru::model
