// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "model/ops/support/normalize.h"
#include "model/ops/support/real.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[N, C, spatial...]"}, {"scale", "[C]"}, {"B", "[C]"}};
constexpr PortSpec kOutputs[] = {{"output", "as input"}};
constexpr AttributeSpec kAttributes[] = {{"epsilon", AttributeKind::kFloat, "added to the variance; 1e-5"}};
constexpr OpExample kExamples[] = {{"Each channel of each image by its own statistics", R"(graph "instance_norm" {
  init x = float32[1, 2, 2] {1, 3, 10, 20}
  init scale = float32[2] {1, 2}
  init b = float32[2] {0, 0.5}
  y = InstanceNormalization(x, scale, b) {epsilon = 0.0}
  output y
})",
                                    "float32[1, 2, 2] {-1, 1, -1.5, 2.5}"}};

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kReals));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x != nullptr && x->size() < 3)
    return ops::input_error(context, 0, fmt::format("found shape {}, expected [N, C, spatial...]", to_string(*x)));
  for (std::size_t i = 1; i < 3; ++i) {
    MORU_RETURN_IF_ERROR(ops::expect_rank(context, i, 1, "[C]"));
    if (x != nullptr) MORU_RETURN_IF_ERROR(ops::expect_extent(context, i, 0, (*x)[1], "an entry a channel"));
  }
  context.set_output(0, {dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const float epsilon, float_attribute(context.node, "epsilon", 1e-5F));
  const Dims& dims = context.input(0).dims();
  return ops::normalize_channels(context, {.runs = dims[0] * dims[1], .channels = dims[1], .epsilon = static_cast<double>(epsilon)});
}

/// Opset 1 named inputs whose memory might be reused.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset < 6) ops::drop_attribute(rewrite, "consumed_inputs");
  return {};
}

}  // namespace

extern const OpSpec kOp_instance_normalization;
const OpSpec kOp_instance_normalization{
    .name = "InstanceNormalization",
    .domain = "",
    .since = 1,
    .doc =
        "Normalises each channel of each image by its own mean and variance. input [N, C, spatial...] -> output: "
        "output = scale[c] * (input - mean[n, c]) / sqrt(var[n, c] + epsilon) + B[c]",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .upgrade = upgrade};

}  // namespace moru::model
