// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape but a scalar"}};
constexpr PortSpec kOutputs[] = {{"output", "as input"}};
constexpr AttributeSpec kAttributes[] = {{"radius", AttributeKind::kInt, "elements before and after"},
                                         {"bias", AttributeKind::kFloat, "added to the sum"},
                                         {"alpha", AttributeKind::kFloat, "factor of the squares"},
                                         {"beta", AttributeKind::kFloat, "the power"}};
constexpr OpExample kExamples[] = {{"Without neighbours", R"(graph "local_response_normalization" {
  init x = float32[1] {2}
  y: float32[1] = tflite::LOCAL_RESPONSE_NORMALIZATION(x) {radius = 0, bias = 0.0, alpha = 1.0, beta = 0.5}
  output y
})",
                                    "float32[1] {1}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(tflite_ops::option_in(context.node(), "radius", 0, 0, 1 << 20));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x != nullptr && x->empty()) return ops::input_error(context, 0, "found a scalar, expected at least one axis");
  return tflite_ops::infer_same(context, tflite_ops::kFloat);
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  if (x.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const std::int64_t radius, int_attribute(context.node, "radius", 0));
  MORU_ASSIGN_OR_RETURN(const float bias, float_attribute(context.node, "bias", 0));
  MORU_ASSIGN_OR_RETURN(const float alpha, float_attribute(context.node, "alpha", 0));
  MORU_ASSIGN_OR_RETURN(const float beta, float_attribute(context.node, "beta", 0));
  const std::int64_t depth = x.dims().back();
  const auto data = x.data<float>();
  const auto y = context.outputs[0].mutable_data<float>();
  for (std::int64_t i = 0; i < x.count(); ++i) {
    const std::int64_t row = i / depth * depth;
    double sum = 0;
    for (std::int64_t k = std::max(row, i - radius); k <= std::min(row + depth - 1, i + radius); ++k)
      sum += std::pow(static_cast<double>(data[static_cast<std::size_t>(k)]), 2);
    const double factor = std::pow(static_cast<double>(bias) + static_cast<double>(alpha) * sum, -static_cast<double>(beta));
    y[static_cast<std::size_t>(i)] = static_cast<float>(static_cast<double>(data[static_cast<std::size_t>(i)]) * factor);
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_local_response_normalization;
const OpSpec kOp_tflite_local_response_normalization{
    .name = "LOCAL_RESPONSE_NORMALIZATION",
    .domain = "tflite",
    .since = 1,
    .doc =
        "Each element divided by a power of the squares around it along the last axis: output[d] = input[d] * "
        "(bias + alpha * sum over |k - d| <= radius of input[k]^2)^-beta.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
