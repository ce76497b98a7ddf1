// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/pool.h"
#include "model/ops/support/rewrite.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, spatial...]"}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, C, spatial...]"}};
constexpr AttributeSpec kAttributes[] = {
    ops::kAutoPad,
    {"ceil_mode", AttributeKind::kInt, "1: a last window that is only partly inside counts too; 0"},
    {"count_include_pad", AttributeKind::kInt, "1: padding counts as zeros; 0: only real elements count; 0"},
    {"dilations", AttributeKind::kInts, "distance of the window's taps, one a spatial axis; 1"},
    {"kernel_shape", AttributeKind::kInts, "size of the window, one a spatial axis", true},
    {"pads", AttributeKind::kInts, "padding before each spatial axis, then after each; 0"},
    ops::kStrides,
};
constexpr OpExample kExamples[] = {{"2x2 windows side by side", R"(graph "average_pool" {
  init x = float32[1, 1, 2, 4] {1, 2, 3, 4, 8, 7, 6, 5}
  y = AveragePool(x) {kernel_shape = [2, 2], strides = [2, 2]}
  output y
})",
                                    "float32[1, 1, 1, 2] {4.5, 4.5}"},
                                   {"At the border only real elements count", R"(graph "border" {
  init x = float32[1, 1, 3] {3, 6, 9}
  y = AveragePool(x) {kernel_shape = [3], pads = [1, 1]}
  output y
})",
                                    "float32[1, 1, 3] {4.5, 6, 7.5}"}};

Status infer(InferContext& context) { return ops::infer_pool(context, ops::kReals); }

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t include_pad, int_attribute(context.node, "count_include_pad", 0));
  return ops::reference_real_pool(context, [&](const double* plane, std::span<const std::int64_t> inside, std::int64_t padding) {
    double sum = 0;
    for (const std::int64_t offset : inside) sum += plane[offset];
    const std::int64_t count = std::ssize(inside) + (include_pad != 0 ? padding : 0);
    return count == 0 ? 0.0 : sum / static_cast<double>(count);
  });
}

Status downgrade(NodeRewrite& rewrite) { return rewrite.opset < 19 ? ops::drop_ones(rewrite, "dilations") : Status(); }

}  // namespace

extern const OpSpec kOp_average_pool;
const OpSpec kOp_average_pool{.name = "AveragePool",
                              .domain = "",
                              .since = 1,
                              .doc =
                                  "The mean of each window. X [N, C, spatial...] -> Y [N, C, spatial...]: "
                                  "Y[n, c, p] = mean over k of X[n, c, p * stride - pad + k * dilation].",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attributes = kAttributes,
                              .infer = infer,
                              .reference = reference,
                              .examples = kExamples,
                              .downgrade = downgrade};

}  // namespace moru::model
