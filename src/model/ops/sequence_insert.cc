// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/sequence.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input_sequence", "a sequence of tensors"},
                                {"tensor", "the new one"},
                                {"position", "int32 or int64, one element; negative: from the end", true}};
constexpr PortSpec kOutputs[] = {{"output_sequence", "a sequence of tensors"}};
constexpr OpExample kExamples[] = {{"Three in front of two", R"(graph "sequence_insert" {
  opset 22
  init a = float32[2] {1, 2}
  init b = float32[1] {3}
  s = SequenceConstruct(a, b)
  init at = int64[] {0}
  t = SequenceInsert(s, b, at)
  n = SequenceLength(t)
  output n
})",
                                    ""}};
constexpr OpGap kGaps[] = {{"test_sequence_insert_*", ops::kSequenceReason}};

Status infer(InferContext& /*context*/) { return {}; }

}  // namespace

extern const OpSpec kOp_sequence_insert;
const OpSpec kOp_sequence_insert{.name = "SequenceInsert",
                                 .domain = "",
                                 .since = 11,
                                 .doc = "A sequence with one tensor more, before the one at a position or at the end.",
                                 .inputs = kInputs,
                                 .outputs = kOutputs,
                                 .attributes = {},
                                 .infer = infer,
                                 .reference = nullptr,
                                 .examples = kExamples,
                                 .gaps = kGaps};

}  // namespace moru::model
