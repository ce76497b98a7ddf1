// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/activation.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "relu_n1_to_1" {
  init x = float32[2] {2, -7}
  y: float32[2] = tflite::RELU_N1_TO_1(x)
  output y
})",
                                    "float32[2] {1, -1}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kReal8); }

Status reference(EvalContext& context) { return tflite_ops::run_clamp(context, -1.0F, 1.0F); }

}  // namespace

extern const OpSpec kOp_tflite_relu_n1_to_1;
const OpSpec kOp_tflite_relu_n1_to_1{.name = "RELU_N1_TO_1",
                                     .domain = "tflite",
                                     .since = 1,
                                     .doc = "y = min(max(x, -1), 1), any shape. Quantised inputs may have another scale than the output.",
                                     .inputs = kInputs,
                                     .outputs = kOutputs,
                                     .attributes = {},
                                     .infer = infer,
                                     .reference = reference,
                                     .examples = kExamples};

}  // namespace moru::model
