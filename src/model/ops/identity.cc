// SPDX-License-Identifier: Apache-2.0
#include "model/ops/op.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any type and shape"}};
constexpr PortSpec kOutputs[] = {{"output", "the same"}};
constexpr OpExample kExamples[] = {{"What goes in comes out", R"(graph "identity" {
  init x = int64[2] {1, 2}
  y = Identity(x)
  output y
})",
                                    "int64[2] {1, 2}"}};

constexpr OpGap kGaps[] = {{"test_identity_opt", "values are tensors here, no optional ones"},
                           {"test_identity_sequence", "values are tensors here, no sequences"}};

Status infer(InferContext& context) {
  context.set_output(0, context.input(0));
  return {};
}

Status reference(EvalContext& context) {
  context.outputs[0] = context.input(0);
  return {};
}

}  // namespace

extern const OpSpec kOp_identity;
const OpSpec kOp_identity{.name = "Identity",
                          .domain = "",
                          .since = 1,
                          .doc = "Gives its input, of any type and shape, unchanged: output = input.",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attributes = {},
                          .infer = infer,
                          .reference = reference,
                          .examples = kExamples,
                          .gaps = kGaps};

}  // namespace moru::model
