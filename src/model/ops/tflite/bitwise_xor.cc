// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input1", "any shape"}, {"input2", "of the same type; the shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"output", "the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "bitwise_xor" {
  init a = int32[2] {5, 1}
  init b = int32[2] {1, 1}
  y: int32[2] = tflite::BITWISE_XOR(a, b)
  output y
})",
                                    "int32[2] {4, 0}"}};

Status infer(InferContext& context) {
  return tflite_ops::infer_broadcast(context, {DType::kInt8, DType::kUInt8, DType::kInt16, DType::kUInt16, DType::kInt32, DType::kUInt32});
}

Status reference(EvalContext& context) {
  return ops::zip_integers(context, [](auto a, auto b) { return a ^ b; });
}

}  // namespace

extern const OpSpec kOp_tflite_bitwise_xor;
const OpSpec kOp_tflite_bitwise_xor{.name = "BITWISE_XOR",
                                    .domain = "tflite",
                                    .since = 1,
                                    .doc = "The bits that only one of both has, any shape.",
                                    .inputs = kInputs,
                                    .outputs = kOutputs,
                                    .attributes = {},
                                    .infer = infer,
                                    .reference = reference,
                                    .examples = kExamples};

}  // namespace moru::model
