// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, ...]"}, {"scale", "[C]"}, {"B", "[C]"}, {"input_mean", "[C]"}, {"input_var", "[C]"}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, C, ...]"}};
constexpr AttributeSpec kAttributes[] = {
    {"epsilon", AttributeKind::kFloat, "added to the variance; 1e-5"},
    {"momentum", AttributeKind::kFloat, "of training only: no effect here"},
    {"training_mode", AttributeKind::kInt, "must be 0"},
};
constexpr OpExample kExamples[] = {{"Each channel by its own mean and variance", R"(graph "batch_norm" {
  init x = float32[1, 2, 1, 2] {1, 2, 3, 4}
  init scale = float32[2] {1, 2}
  init b = float32[2] {0, 0.5}
  init mean = float32[2] {1, 3}
  init var = float32[2] {1, 4}
  y = BatchNormalization(x, scale, b, mean, var) {epsilon = 0.0}
  output y
})",
                                    "float32[1, 2, 1, 2] {0, 1, 0.5, 1.5}"}};

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t training, int_attribute(context.node(), "training_mode", 0));
  if (training != 0)
    return fail(ErrorCode::kUnsupported,
                fmt::format("attribute 'training_mode': found {}, expected 0; export the model for inference", training));
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kFloatOnly));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x != nullptr && x->size() < 2)
    return ops::input_error(context, 0, fmt::format("found shape {}, expected [N, C, ...]", to_string(*x)));
  for (std::size_t i = 1; i < 5; ++i) {
    MORU_RETURN_IF_ERROR(ops::expect_rank(context, i, 1, "[C]"));
    if (x != nullptr) MORU_RETURN_IF_ERROR(ops::expect_extent(context, i, 0, (*x)[1], "an entry a channel"));
  }
  context.set_output(0, {dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  const Dims& dims = context.input(0).dims();
  MORU_ASSIGN_OR_RETURN(const float epsilon, float_attribute(context.node, "epsilon", 1e-5F));
  const auto scale = context.input(1).data<float>();
  const auto bias = context.input(2).data<float>();
  const auto mean = context.input(3).data<float>();
  const auto variance = context.input(4).data<float>();
  const float* x = context.input(0).data<float>().data();
  float* y = context.outputs[0].mutable_data<float>().data();
  const std::int64_t plane = ops::product_of(std::span(dims).subspan(2));
  for (std::int64_t n = 0; n < dims[0]; ++n) {
    for (std::size_t c = 0; c < scale.size(); ++c) {
      const double factor = static_cast<double>(scale[c]) / std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(epsilon));
      const double shift = static_cast<double>(bias[c]) - static_cast<double>(mean[c]) * factor;
      for (std::int64_t i = 0; i < plane; ++i) *y++ = static_cast<float>(static_cast<double>(*x++) * factor + shift);
    }
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_batch_normalization;
const OpSpec kOp_batch_normalization{.name = "BatchNormalization",
                                     .domain = "",
                                     .since = 9,
                                     .doc =
                                         "Normalises each channel by stored statistics (inference). X [N, C, ...] -> Y [N, C, ...]: "
                                         "Y = scale * (X - input_mean) / sqrt(input_var + epsilon) + B.",
                                     .inputs = kInputs,
                                     .outputs = kOutputs,
                                     .attributes = kAttributes,
                                     .infer = infer,
                                     .reference = reference,
                                     .examples = kExamples};

}  // namespace moru::model
