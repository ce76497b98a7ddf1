// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/support/elementwise.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input1", "any shape"}, {"input2", "of the same type; the shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"output", "the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "maximum" {
  init a = float32[2] {6, -1}
  init b = float32[2] {4, 2}
  y: float32[2] = tflite::MAXIMUM(a, b)
  output y
})",
                                    "float32[2] {6, 2}"}};

Status infer(InferContext& context) { return tflite_ops::infer_broadcast(context, tflite_ops::kNumber); }

Status reference(EvalContext& context) {
  return ops::zip_numbers(context, [](auto a, auto b) { return std::max(a, b); });
}

}  // namespace

extern const OpSpec kOp_tflite_maximum;
const OpSpec kOp_tflite_maximum{.name = "MAXIMUM",
                                .domain = "tflite",
                                .since = 1,
                                .doc = "The larger of two, any shape: output = max(input1, input2).",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attributes = {},
                                .infer = infer,
                                .reference = reference,
                                .examples = kExamples};

}  // namespace moru::model
