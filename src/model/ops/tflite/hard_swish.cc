// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/activation.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "hard_swish" {
  init x = float32[2] {3, -1.5}
  y: float32[2] = tflite::HARD_SWISH(x)
  output y
})",
                                    "float32[2] {3, -0.375}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kReal8); }

Status reference(EvalContext& context) { return tflite_ops::run_hard_swish(context); }

}  // namespace

extern const OpSpec kOp_tflite_hard_swish;
const OpSpec kOp_tflite_hard_swish{.name = "HARD_SWISH",
                                   .domain = "tflite",
                                   .since = 1,
                                   .doc = "y = x * min(max(x + 3, 0), 6) / 6, any shape. 8-bit integers in fixed point of 16 bits.",
                                   .inputs = kInputs,
                                   .outputs = kOutputs,
                                   .attributes = {},
                                   .infer = infer,
                                   .reference = reference,
                                   .examples = kExamples};

}  // namespace moru::model
