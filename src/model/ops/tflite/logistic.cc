// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/tflite/support/activation.h"
#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "logistic" {
  init x = float32[2] {0, 1}
  y: float32[2] = tflite::LOGISTIC(x)
  output y
})",
                                    "float32[2] {0.5, 0.7310586}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kReal); }

Status reference(EvalContext& context) {
  if (context.input(0).dtype() == DType::kInt16) return tflite_ops::logistic16(context);
  return tflite_ops::map_reals(context, [](float x) { return 1.0F / (1.0F + std::exp(-x)); });
}

}  // namespace

extern const OpSpec kOp_tflite_logistic;
const OpSpec kOp_tflite_logistic{
    .name = "LOGISTIC",
    .domain = "tflite",
    .since = 1,
    .doc =
        "The logistic function, any shape: y = 1 / (1 + exp(-x)). 8-bit integers go through a table, 16-bit ones "
        "through one of 256 entries.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
