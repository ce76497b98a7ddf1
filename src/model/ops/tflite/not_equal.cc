// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/comparison.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input1", "any shape"}, {"input2", "of the same type; the shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"output", "bool, the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "not_equal" {
  init a = float32[2] {6, -1}
  init b = float32[2] {4, 2}
  y: bool[2] = tflite::NOT_EQUAL(a, b)
  output y
})",
                                    "bool[2] {true, true}"}};

Status infer(InferContext& context) {
  return tflite_ops::infer_broadcast(
      context, {DType::kFloat32, DType::kInt8, DType::kUInt8, DType::kInt16, DType::kInt32, DType::kInt64, DType::kBool}, DType::kBool);
}

Status reference(EvalContext& context) {
  return tflite_ops::run_comparison(context, [](auto a, auto b) { return a != b; });
}

}  // namespace

extern const OpSpec kOp_tflite_not_equal;
const OpSpec kOp_tflite_not_equal{
    .name = "NOT_EQUAL",
    .domain = "tflite",
    .since = 1,
    .doc = "Whether input1 != input2, any shape. 8-bit integers of other scales are brought to a common one first.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
