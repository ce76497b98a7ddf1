// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/ops/support/lines.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Logarithms of probabilities", R"(graph "log_softmax" {
  init x = float32[1, 3] {1, 2, 3}
  y = LogSoftmax(x)
  output y
})",
                                    "float32[1, 3] {-2.407606, -1.4076059, -0.40760595}"}};

Status reference(EvalContext& context) {
  return ops::map_lines(context, -1, [](std::span<const double> in, std::span<double> out) {
    if (in.empty()) return;
    // Without the largest taken off, exp() overflows.
    const double largest = *std::ranges::max_element(in);
    double sum = 0;
    for (const double value : in) sum += std::exp(value - largest);
    for (std::size_t i = 0; i < in.size(); ++i) out[i] = in[i] - largest - std::log(sum);
  });
}

}  // namespace

extern const OpSpec kOp_log_softmax;
constinit const OpSpec kOp_log_softmax = ops::softmax_op(
    "LogSoftmax", "Along one axis, any shape: output[i] = input[i] - ln(sum over j of exp(input[j])).", reference, kExamples);

}  // namespace moru::model
