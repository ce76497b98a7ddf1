// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape but a scalar"}};
constexpr PortSpec kOutputs[] = {{"output", "as input"}};
constexpr OpExample kExamples[] = {{"A row", R"(graph "log_softmax" {
  init x = float32[1, 2] {0, 0}
  y: float32[1, 2] = tflite::LOG_SOFTMAX(x)
  output y
})",
                                    "float32[1, 2] {-0.6931472, -0.6931472}"}};

Status infer(InferContext& context) {
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x != nullptr && x->empty()) return ops::input_error(context, 0, "found a scalar, expected at least one axis");
  return tflite_ops::infer_same(context, tflite_ops::kFloat);
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  if (x.count() == 0) return {};
  const auto depth = static_cast<std::size_t>(x.dims().back());
  const auto data = x.data<float>();
  const auto y = context.outputs[0].mutable_data<float>();
  for (std::size_t row = 0; row < data.size(); row += depth) {
    const auto line = data.subspan(row, depth);
    const auto largest = static_cast<double>(*std::ranges::max_element(line));
    double sum = 0;
    for (const float value : line) sum += std::exp(static_cast<double>(value) - largest);
    for (std::size_t i = 0; i < depth; ++i) y[row + i] = static_cast<float>(static_cast<double>(line[i]) - largest - std::log(sum));
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_log_softmax;
const OpSpec kOp_tflite_log_softmax{.name = "LOG_SOFTMAX",
                                    .domain = "tflite",
                                    .since = 1,
                                    .doc = "Along the last axis: output[i] = input[i] - log(sum over j of exp(input[j])).",
                                    .inputs = kInputs,
                                    .outputs = kOutputs,
                                    .attributes = {},
                                    .infer = infer,
                                    .reference = reference,
                                    .examples = kExamples};

}  // namespace moru::model
