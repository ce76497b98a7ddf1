// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kOutputs[] = {{"output", "of its declared type and shape"}};
constexpr OpExample kExamples[] = {{"Zeros", R"(graph "variable" {
  y: float32[2] = tflite::VARIABLE()
  output y
})",
                                    "float32[2] {0, 0}"}};

Status infer(InferContext& context) {
  context.set_output(0, context.declared_output(0));
  return {};
}

Status reference(EvalContext& context) {
  const ValueType& type = context.output_types[0];
  return type.dtype && type.shape && ops::known_dims(*type.shape)
             ? Status()
             : fail(ErrorCode::kInvalidArgument, "output 0: found an unknown type, expected a known one");
}

}  // namespace

extern const OpSpec kOp_tflite_variable;
const OpSpec kOp_tflite_variable{
    .name = "VARIABLE",
    .domain = "tflite",
    .since = 1,
    .doc =
        "A tensor that keeps its content from run to run, at its start: zeros. It is no op of the file: there it "
        "is a flag of the tensor.",
    .inputs = {},
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
