// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/convert.h"
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape; numbers, bool or string"}, {"target_type", "a tensor of the type that is wanted"}};
constexpr PortSpec kOutputs[] = {{"output", "as input, of target_type's type"}};
constexpr AttributeSpec kAttributes[] = {
    {"saturate", AttributeKind::kInt, "0: what floats of 8 bits cannot hold becomes infinity or NaN, not their largest; 1"},
};
constexpr OpExample kExamples[] = {{"As another tensor", R"(graph "cast_like" {
  init x = int32[2] {1, -2}
  init like = float32[0] {}
  y = CastLike(x, like)
  output y
})",
                                    "float32[2] {1, -2}"}};

constexpr OpGap kGaps[] = {{"test_castlike_BFLOAT16_to_FLOAT*", "the test's data are uint16 where its model says bfloat16"},
                           {"test_castlike_FLOAT_to_BFLOAT16*", "the test's data are uint16 where its model says bfloat16"}};

Status infer(InferContext& context) {
  context.set_output(0, {context.input(1).dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t saturate, int_attribute(context.node, "saturate", 1));
  MORU_ASSIGN_OR_RETURN(context.outputs[0], ops::convert(context.input(0), context.input(1).dtype(), saturate != 0));
  return {};
}

Status downgrade(NodeRewrite& rewrite) {
  if (rewrite.opset < 19) ops::drop_attribute(rewrite, "saturate");  // it came with the types that it is about
  return {};
}

}  // namespace

extern const OpSpec kOp_cast_like;
constinit const OpSpec kOp_cast_like{
    .name = "CastLike",
    .domain = "",
    .since = 15,
    .doc = "Element by element, any shape: output = input as the type that another tensor has, as Cast does.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .gaps = kGaps,
    .upgrade = nullptr,
    .downgrade = downgrade};

}  // namespace moru::model
