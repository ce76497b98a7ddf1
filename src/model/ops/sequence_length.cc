// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/sequence.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input_sequence", "a sequence of tensors"}};
constexpr PortSpec kOutputs[] = {{"length", "int64 scalar"}};
constexpr OpExample kExamples[] = {{"Two", R"(graph "sequence_length" {
  opset 22
  init a = float32[2] {1, 2}
  init b = float32[1] {3}
  s = SequenceConstruct(a, b)
  n = SequenceLength(s)
  output n
})",
                                    ""}};

Status infer(InferContext& context) {
  context.set_output(0, {DType::kInt64, SymbolicShape{}});
  return {};
}

}  // namespace

extern const OpSpec kOp_sequence_length;
const OpSpec kOp_sequence_length{.name = "SequenceLength",
                                 .domain = "",
                                 .since = 11,
                                 .doc = "How many tensors a sequence has.",
                                 .inputs = kInputs,
                                 .outputs = kOutputs,
                                 .attributes = {},
                                 .infer = infer,
                                 .reference = nullptr,
                                 .examples = kExamples};

}  // namespace moru::model
