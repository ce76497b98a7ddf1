// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/support/pool.h"
#include "model/ops/support/rewrite.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, spatial...]"}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, C, spatial...]"}};
constexpr AttributeSpec kAttributes[] = {
    ops::kAutoPad,
    {"ceil_mode", AttributeKind::kInt, "1: a last window that is only partly inside counts too; 0"},
    {"dilations", AttributeKind::kInts, "distance of the window's taps, one a spatial axis; 1"},
    {"kernel_shape", AttributeKind::kInts, "size of the window, one a spatial axis", true},
    {"p", AttributeKind::kInt, "exponent of the norm, 1 or more; 2"},
    {"pads", AttributeKind::kInts, "padding before each spatial axis, then after each; 0"},
    ops::kStrides,
};
constexpr OpExample kExamples[] = {{"The length of two elements", R"(graph "lp_pool" {
  init x = float32[1, 1, 4] {3, 4, 6, -8}
  y = LpPool(x) {kernel_shape = [2], strides = [2]}
  output y
})",
                                    "float32[1, 1, 2] {5, 10}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::read_norm(context.node()));
  return ops::infer_pool(context, ops::kReals);
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const double p, ops::read_norm(context.node));
  return ops::reference_real_pool(context, [&](const double* plane, std::span<const std::int64_t> inside, std::int64_t) {
    double sum = 0;
    for (const std::int64_t offset : inside) sum += std::pow(std::abs(plane[offset]), p);
    return std::pow(sum, 1.0 / p);
  });
}

Status upgrade(NodeRewrite& rewrite) { return rewrite.opset < 2 ? ops::float_to_int_attribute(rewrite, "p") : Status(); }

Status downgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 18) return {};
  MORU_RETURN_IF_ERROR(ops::drop_ones(rewrite, "dilations"));
  return ops::drop_int(rewrite, "ceil_mode", 0);
}

}  // namespace

extern const OpSpec kOp_lp_pool;
const OpSpec kOp_lp_pool{.name = "LpPool",
                         .domain = "",
                         .since = 1,
                         .doc =
                             "The p-norm of each window; padding is zeros. X [N, C, spatial...] -> Y [N, C, spatial...]: "
                             "Y[n, c, q] = (sum over k of |X[n, c, q * stride - pad + k * dilation]|^p)^(1/p).",
                         .inputs = kInputs,
                         .outputs = kOutputs,
                         .attributes = kAttributes,
                         .infer = infer,
                         .reference = reference,
                         .examples = kExamples,
                         .upgrade = upgrade,
                         .downgrade = downgrade};

}  // namespace moru::model
