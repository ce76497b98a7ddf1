// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}};
constexpr PortSpec kOutputs[] = {{"output", "as input"}};
constexpr AttributeSpec kAttributes[] = {
    {"fused_activation_function", AttributeKind::kString, "what follows: NONE, RELU, RELU6 or RELU_N1_TO_1"}};
constexpr OpExample kExamples[] = {{"A row", R"(graph "l2_normalization" {
  init x = float32[1, 2] {3, 4}
  y: float32[1, 2] = tflite::L2_NORMALIZATION(x)
  output y
})",
                                    "float32[1, 2] {0.6, 0.8}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kFloat); }

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  if (x.count() == 0) return {};
  const auto depth = static_cast<std::size_t>(x.rank() == 0 ? 1 : x.dims().back());
  const auto data = x.data<float>();
  const auto y = context.outputs[0].mutable_data<float>();
  // A row of zeros stays one.
  constexpr double kLeast = 1e-6;
  for (std::size_t row = 0; row < data.size(); row += depth) {
    double sum = 0;
    for (std::size_t i = 0; i < depth; ++i) sum += static_cast<double>(data[row + i]) * static_cast<double>(data[row + i]);
    const double norm = std::max(std::sqrt(sum), kLeast);
    for (std::size_t i = 0; i < depth; ++i) y[row + i] = static_cast<float>(static_cast<double>(data[row + i]) / norm);
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_l2_normalization;
const OpSpec kOp_tflite_l2_normalization{.name = "L2_NORMALIZATION",
                                         .domain = "tflite",
                                         .since = 1,
                                         .doc = "Each row of the last axis divided by the root of the sum of its squares.",
                                         .inputs = kInputs,
                                         .outputs = kOutputs,
                                         .attributes = kAttributes,
                                         .infer = infer,
                                         .reference = reference,
                                         .examples = kExamples};

}  // namespace moru::model
