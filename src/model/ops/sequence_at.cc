// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/sequence.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input_sequence", "a sequence of tensors"},
                                {"position", "int32 or int64, one element; negative: from the end"}};
constexpr PortSpec kOutputs[] = {{"tensor", "as it was put in"}};
constexpr OpExample kExamples[] = {{"The first of two", R"(graph "sequence_at" {
  opset 22
  init a = float32[2] {1, 2}
  init b = float32[1] {3}
  s = SequenceConstruct(a, b)
  init at = int64[] {0}
  y = SequenceAt(s, at)
  output y
})",
                                    ""}};

Status infer(InferContext& /*context*/) { return {}; }

}  // namespace

extern const OpSpec kOp_sequence_at;
const OpSpec kOp_sequence_at{.name = "SequenceAt",
                             .domain = "",
                             .since = 11,
                             .doc = "The tensor at a position of a sequence.",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attributes = {},
                             .infer = infer,
                             .reference = nullptr,
                             .examples = kExamples};

}  // namespace moru::model
