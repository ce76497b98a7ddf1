// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/pool.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, spatial...]"}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, C, 1...]"}};
constexpr OpExample kExamples[] = {{"The mean of each channel", R"(graph "global_average_pool" {
  init x = float32[1, 2, 2, 2] {1, 2, 3, 4, 10, 10, 10, 10}
  y = GlobalAveragePool(x)
  output y
})",
                                    "float32[1, 2, 1, 1] {2.5, 10}"}};

Status reference(EvalContext& context) {
  return ops::reference_global_pool(context, [](std::span<const double> plane) {
    double sum = 0;
    for (const double x : plane) sum += x;
    return sum / static_cast<double>(plane.size());
  });
}

}  // namespace

extern const OpSpec kOp_global_average_pool;
const OpSpec kOp_global_average_pool{
    .name = "GlobalAveragePool",
    .domain = "",
    .since = 1,
    .doc = "The mean over all spatial axes. X [N, C, spatial...] -> Y [N, C, 1...]: Y[n, c] = mean over p of X[n, c, p].",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = ops::infer_global_pool,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
