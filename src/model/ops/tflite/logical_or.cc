// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/broadcast.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input1", "any shape"}, {"input2", "of the same type; the shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"output", "the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "logical_or" {
  init a = bool[2] {true, false}
  init b = bool[2] {true, true}
  y: bool[2] = tflite::LOGICAL_OR(a, b)
  output y
})",
                                    "bool[2] {true, true}"}};

Status infer(InferContext& context) { return tflite_ops::infer_broadcast(context, {DType::kBool}); }

Status reference(EvalContext& context) {
  ops::zip<bool, bool, bool>(context.input(0), context.input(1), context.outputs[0], [](bool a, bool b) { return a || b; });
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_logical_or;
const OpSpec kOp_tflite_logical_or{.name = "LOGICAL_OR",
                                   .domain = "tflite",
                                   .since = 1,
                                   .doc = "input1 || input2 of truth values, any shape.",
                                   .inputs = kInputs,
                                   .outputs = kOutputs,
                                   .attributes = {},
                                   .infer = infer,
                                   .reference = reference,
                                   .examples = kExamples};

}  // namespace moru::model
