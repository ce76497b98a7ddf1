// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "floor" {
  init x = float32[2] {1.5, -1.5}
  y: float32[2] = tflite::FLOOR(x)
  output y
})",
                                    "float32[2] {1, -2}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kFloat); }

Status reference(EvalContext& context) {
  return tflite_ops::map_floats(context, [](float x) { return std::floor(x); });
}

}  // namespace

extern const OpSpec kOp_tflite_floor;
const OpSpec kOp_tflite_floor{.name = "FLOOR",
                              .domain = "tflite",
                              .since = 1,
                              .doc = "The next integer below, any shape: y = floor(x).",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attributes = {},
                              .infer = infer,
                              .reference = reference,
                              .examples = kExamples};

}  // namespace moru::model
