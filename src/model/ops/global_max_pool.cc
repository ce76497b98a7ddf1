// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "model/ops/support/pool.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, spatial...]"}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, C, 1...]"}};
constexpr OpExample kExamples[] = {{"The largest of each channel", R"(graph "global_max_pool" {
  init x = float32[1, 2, 2, 2] {1, 2, 3, 4, 10, 10, 10, 10}
  y = GlobalMaxPool(x)
  output y
})",
                                    "float32[1, 2, 1, 1] {4, 10}"}};

Status reference(EvalContext& context) {
  return ops::reference_global_pool(context, [](std::span<const double> plane) {
    double best = -std::numeric_limits<double>::infinity();
    for (const double x : plane) best = std::max(best, x);
    return best;
  });
}

}  // namespace

extern const OpSpec kOp_global_max_pool;
const OpSpec kOp_global_max_pool{
    .name = "GlobalMaxPool",
    .domain = "",
    .since = 1,
    .doc = "The largest over all spatial axes. X [N, C, spatial...] -> Y [N, C, 1...]: Y[n, c] = max over p of X[n, c, p].",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = ops::infer_global_pool,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
