// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/sequence.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {
    {"input", "any type and shape"},
    {"split", "int32 or int64: the extent of each part, or a list of them; without it each index is a part", true}};
constexpr PortSpec kOutputs[] = {{"output_sequence", "a sequence of tensors"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the axis; 0"},
                                         {"keepdims", AttributeKind::kInt, "0: without split, the axis goes away; 1"}};
constexpr OpExample kExamples[] = {{"Two halves", R"(graph "split_to_sequence" {
  opset 22
  init x = float32[4] {1, 2, 3, 4}
  init size = int64[] {2}
  s = SplitToSequence(x, size)
  n = SequenceLength(s)
  output n
})",
                                    ""}};

Status infer(InferContext& /*context*/) { return {}; }

}  // namespace

extern const OpSpec kOp_split_to_sequence;
const OpSpec kOp_split_to_sequence{.name = "SplitToSequence",
                                   .domain = "",
                                   .since = 11,
                                   .doc = "Cuts a tensor along an axis into a sequence.",
                                   .inputs = kInputs,
                                   .outputs = kOutputs,
                                   .attributes = kAttributes,
                                   .infer = infer,
                                   .reference = nullptr,
                                   .examples = kExamples};

}  // namespace moru::model
