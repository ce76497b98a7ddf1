// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/sequence.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input_sequence", "a sequence of tensors"},
                                {"position", "int32 or int64, one element; negative: from the end", true}};
constexpr PortSpec kOutputs[] = {{"output_sequence", "a sequence of tensors"}};
constexpr OpExample kExamples[] = {{"One of two is left", R"(graph "sequence_erase" {
  opset 22
  init a = float32[2] {1, 2}
  init b = float32[1] {3}
  s = SequenceConstruct(a, b)
  t = SequenceErase(s)
  n = SequenceLength(t)
  output n
})",
                                    ""}};

Status infer(InferContext& /*context*/) { return {}; }

}  // namespace

extern const OpSpec kOp_sequence_erase;
const OpSpec kOp_sequence_erase{.name = "SequenceErase",
                                .domain = "",
                                .since = 11,
                                .doc = "A sequence without the tensor at a position, or without its last one.",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attributes = {},
                                .infer = infer,
                                .reference = nullptr,
                                .examples = kExamples};

}  // namespace moru::model
