// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/sequence.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input_sequence", "a sequence of tensors"}};
constexpr PortSpec kOutputs[] = {{"concat_result", "one tensor"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the axis", true},
                                         {"new_axis", AttributeKind::kInt, "1: a new axis, along which the tensors lie; 0"}};
constexpr OpExample kExamples[] = {{"Back together", R"(graph "concat_from_sequence" {
  opset 22
  init a = float32[2] {1, 2}
  init b = float32[1] {3}
  s = SequenceConstruct(a, b)
  y = ConcatFromSequence(s) {axis = 0}
  output y
})",
                                    ""}};

Status infer(InferContext& /*context*/) { return {}; }

}  // namespace

extern const OpSpec kOp_concat_from_sequence;
const OpSpec kOp_concat_from_sequence{.name = "ConcatFromSequence",
                                      .domain = "",
                                      .since = 11,
                                      .doc = "Puts the tensors of a sequence together along an axis, or along a new one.",
                                      .inputs = kInputs,
                                      .outputs = kOutputs,
                                      .attributes = kAttributes,
                                      .infer = infer,
                                      .reference = nullptr,
                                      .examples = kExamples};

}  // namespace moru::model
