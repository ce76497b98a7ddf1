// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "logical_not" {
  init x = bool[2] {true, false}
  y: bool[2] = tflite::LOGICAL_NOT(x)
  output y
})",
                                    "bool[2] {false, true}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, {DType::kBool}); }

Status reference(EvalContext& context) {
  std::ranges::transform(context.input(0).data<bool>(), context.outputs[0].mutable_data<bool>().begin(), [](bool x) { return !x; });
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_logical_not;
const OpSpec kOp_tflite_logical_not{.name = "LOGICAL_NOT",
                                    .domain = "tflite",
                                    .since = 1,
                                    .doc = "The other truth value, any shape.",
                                    .inputs = kInputs,
                                    .outputs = kOutputs,
                                    .attributes = {},
                                    .infer = infer,
                                    .reference = reference,
                                    .examples = kExamples};

}  // namespace moru::model
