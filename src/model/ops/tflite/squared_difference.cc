// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/arithmetic.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input1", "any shape"}, {"input2", "of the same type; the shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"output", "the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "squared_difference" {
  init a = float32[2] {6, -1}
  init b = float32[2] {4, 2}
  y: float32[2] = tflite::SQUARED_DIFFERENCE(a, b)
  output y
})",
                                    "float32[2] {4, 9}"}};

Status infer(InferContext& context) { return tflite_ops::infer_broadcast(context, {DType::kFloat32, DType::kInt32, DType::kInt8}); }

Status reference(EvalContext& context) { return tflite_ops::run_arithmetic(context, tflite_ops::Arithmetic::kSquaredDifference); }

}  // namespace

extern const OpSpec kOp_tflite_squared_difference;
const OpSpec kOp_tflite_squared_difference{
    .name = "SQUARED_DIFFERENCE",
    .domain = "tflite",
    .since = 1,
    .doc =
        "The square of the difference, any shape: output = (input1 - input2)^2. 8-bit integers are brought to a "
        "common scale 7 bits finer first.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
