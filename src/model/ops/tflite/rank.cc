// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}};
constexpr PortSpec kOutputs[] = {{"output", "a scalar, int32"}};
constexpr OpExample kExamples[] = {{"Two axes", R"(graph "rank" {
  init x = float32[1, 2] {1, 2}
  y: int32[] = tflite::RANK(x)
  output y
})",
                                    "int32[] {2}"}};

Status infer(InferContext& context) {
  context.set_output(0, {DType::kInt32, SymbolicShape()});
  return {};
}

Status reference(EvalContext& context) {
  context.outputs[0].mutable_data<std::int32_t>()[0] = static_cast<std::int32_t>(context.input(0).rank());
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_rank;
const OpSpec kOp_tflite_rank{.name = "RANK",
                             .domain = "tflite",
                             .since = 1,
                             .doc = "How many axes the input has.",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attributes = {},
                             .infer = infer,
                             .reference = reference,
                             .examples = kExamples};

}  // namespace moru::model
