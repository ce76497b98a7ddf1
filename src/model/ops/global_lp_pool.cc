// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/support/pool.h"
#include "model/ops/support/rewrite.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, spatial...]"}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, C, 1...]"}};
constexpr AttributeSpec kAttributes[] = {{"p", AttributeKind::kInt, "exponent of the norm, 1 or more; 2"}};
constexpr OpExample kExamples[] = {{"The length of each channel", R"(graph "global_lp_pool" {
  init x = float32[1, 2, 1, 2] {3, -4, 0, 2}
  y = GlobalLpPool(x)
  output y
})",
                                    "float32[1, 2, 1, 1] {5, 2}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::read_norm(context.node()));
  return ops::infer_global_pool(context);
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const double p, ops::read_norm(context.node));
  return ops::reference_global_pool(context, [&](std::span<const double> plane) {
    double sum = 0;
    for (const double x : plane) sum += std::pow(std::abs(x), p);
    return std::pow(sum, 1.0 / p);
  });
}

Status upgrade(NodeRewrite& rewrite) { return rewrite.opset < 2 ? ops::float_to_int_attribute(rewrite, "p") : Status(); }

}  // namespace

extern const OpSpec kOp_global_lp_pool;
const OpSpec kOp_global_lp_pool{
    .name = "GlobalLpPool",
    .domain = "",
    .since = 1,
    .doc = "The p-norm over all spatial axes. X [N, C, spatial...] -> Y [N, C, 1...]: Y[n, c] = (sum over q of |X[n, c, q]|^p)^(1/p).",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .upgrade = upgrade};

}  // namespace moru::model
