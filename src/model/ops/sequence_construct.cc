// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/sequence.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"inputs", "tensors of one element type"}};
constexpr PortSpec kOutputs[] = {{"output_sequence", "a sequence of tensors"}};
constexpr OpExample kExamples[] = {{"A sequence of two tensors", R"(graph "sequence_construct" {
  opset 22
  init a = float32[2] {1, 2}
  init b = float32[1] {3}
  s = SequenceConstruct(a, b)
  n = SequenceLength(s)
  output n
})",
                                    ""}};
constexpr OpGap kGaps[] = {{"test_sequence_model*", ops::kSequenceReason}};

Status infer(InferContext& /*context*/) { return {}; }

}  // namespace

extern const OpSpec kOp_sequence_construct;
const OpSpec kOp_sequence_construct{.name = "SequenceConstruct",
                                    .domain = "",
                                    .since = 11,
                                    .doc = "Makes a sequence of tensors of one element type, whose shapes may differ.",
                                    .inputs = kInputs,
                                    .outputs = kOutputs,
                                    .attributes = {},
                                    .variadic_inputs = true,
                                    .infer = infer,
                                    .reference = nullptr,
                                    .examples = kExamples,
                                    .gaps = kGaps};

}  // namespace moru::model
