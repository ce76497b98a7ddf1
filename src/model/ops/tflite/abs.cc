// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/activation.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "abs" {
  init x = float32[2] {3, -2}
  y: float32[2] = tflite::ABS(x)
  output y
})",
                                    "float32[2] {3, 2}"}};

Status infer(InferContext& context) {
  return tflite_ops::infer_same(context, {DType::kFloat32, DType::kInt8, DType::kInt16, DType::kInt32});
}

Status reference(EvalContext& context) { return tflite_ops::run_abs(context); }

}  // namespace

extern const OpSpec kOp_tflite_abs;
const OpSpec kOp_tflite_abs{.name = "ABS",
                            .domain = "tflite",
                            .since = 1,
                            .doc = "The absolute value, any shape: y = |x|. Quantised ones may have another scale than the output.",
                            .inputs = kInputs,
                            .outputs = kOutputs,
                            .attributes = {},
                            .infer = infer,
                            .reference = reference,
                            .examples = kExamples};

}  // namespace moru::model
