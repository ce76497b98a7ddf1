// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/sequence.h"

namespace moru::model {
namespace {

constexpr PortSpec kOutputs[] = {{"output", "a sequence of tensors"}};
constexpr AttributeSpec kAttributes[] = {{"dtype", AttributeKind::kInt, "element type by its number in ONNX; 1, float32"}};
constexpr OpExample kExamples[] = {{"Nothing yet", R"(graph "sequence_empty" {
  opset 22
  s = SequenceEmpty()
  n = SequenceLength(s)
  output n
})",
                                    ""}};

Status infer(InferContext& /*context*/) { return {}; }

}  // namespace

extern const OpSpec kOp_sequence_empty;
const OpSpec kOp_sequence_empty{.name = "SequenceEmpty",
                                .domain = "",
                                .since = 11,
                                .doc = "Makes a sequence without tensors.",
                                .inputs = {},
                                .outputs = kOutputs,
                                .attributes = kAttributes,
                                .infer = infer,
                                .reference = nullptr,
                                .examples = kExamples};

}  // namespace moru::model
