// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "rsqrt" {
  init x = float32[2] {4, 0.25}
  y: float32[2] = tflite::RSQRT(x)
  output y
})",
                                    "float32[2] {0.5, 2}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kFloat); }

Status reference(EvalContext& context) {
  return tflite_ops::map_floats(context, [](float x) { return 1.0F / std::sqrt(x); });
}

}  // namespace

extern const OpSpec kOp_tflite_rsqrt;
const OpSpec kOp_tflite_rsqrt{.name = "RSQRT",
                              .domain = "tflite",
                              .since = 1,
                              .doc = "One over the square root, any shape: y = 1 / sqrt(x).",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attributes = {},
                              .infer = infer,
                              .reference = reference,
                              .examples = kExamples};

}  // namespace moru::model
