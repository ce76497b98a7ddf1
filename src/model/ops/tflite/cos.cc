// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "cos" {
  init x = float32[2] {0, 1}
  y: float32[2] = tflite::COS(x)
  output y
})",
                                    "float32[2] {1, 0.5403023}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kFloat); }

Status reference(EvalContext& context) {
  return tflite_ops::map_floats(context, [](float x) { return std::cos(x); });
}

}  // namespace

extern const OpSpec kOp_tflite_cos;
const OpSpec kOp_tflite_cos{.name = "COS",
                            .domain = "tflite",
                            .since = 1,
                            .doc = "The cosine, any shape: y = cos(x).",
                            .inputs = kInputs,
                            .outputs = kOutputs,
                            .attributes = {},
                            .infer = infer,
                            .reference = reference,
                            .examples = kExamples};

}  // namespace moru::model
