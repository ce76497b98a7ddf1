// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/sequence.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "an optional value, a tensor or a sequence"}};
constexpr PortSpec kOutputs[] = {{"output", "what it holds"}};
constexpr OpExample kExamples[] = {{"A tensor is what it is", R"(graph "optional_get_element" {
  opset 22
  init x = float32[1] {1}
  y = OptionalGetElement(x)
  output y
})",
                                    ""}};
constexpr OpGap kGaps[] = {{"test_optional_get_*", ops::kOptionalReason}};

Status infer(InferContext& /*context*/) { return {}; }

}  // namespace

extern const OpSpec kOp_optional_get_element;
const OpSpec kOp_optional_get_element{
    .name = "OptionalGetElement",
    .domain = "",
    .since = 15,
    .doc = "What an optional value holds, which must be something; a value that is not optional as it is.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = nullptr,
    .examples = kExamples,
    .gaps = kGaps};

}  // namespace moru::model
