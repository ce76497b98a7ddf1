// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/sequence.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "an optional value, a tensor or a sequence", true}};
constexpr PortSpec kOutputs[] = {{"output", "bool scalar"}};
constexpr OpExample kExamples[] = {{"A tensor is there", R"(graph "optional_has_element" {
  opset 22
  init x = float32[1] {1}
  y = OptionalHasElement(x)
  output y
})",
                                    ""}};
constexpr OpGap kGaps[] = {{"test_optional_has_*", ops::kOptionalReason}};

Status infer(InferContext& context) {
  context.set_output(0, {DType::kBool, SymbolicShape{}});
  return {};
}

}  // namespace

extern const OpSpec kOp_optional_has_element;
const OpSpec kOp_optional_has_element{.name = "OptionalHasElement",
                                      .domain = "",
                                      .since = 15,
                                      .doc = "Whether an optional value holds something.",
                                      .inputs = kInputs,
                                      .outputs = kOutputs,
                                      .attributes = {},
                                      .infer = infer,
                                      .reference = nullptr,
                                      .examples = kExamples,
                                      .gaps = kGaps};

}  // namespace moru::model
