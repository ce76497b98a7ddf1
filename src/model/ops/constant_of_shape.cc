// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "int64 [rank], the output's shape"}};
constexpr PortSpec kOutputs[] = {{"output", "shaped as input says"}};
constexpr AttributeSpec kAttributes[] = {{"value", AttributeKind::kTensor, "one element, whose type is the output's; float32 0"}};
constexpr OpExample kExamples[] = {{"Four times 7", R"(graph "constant_of_shape" {
  init shape = int64[2] {2, 2}
  y = ConstantOfShape(shape) {value = int32[1] {7}}
  output y
})",
                                    "int32[2, 2] {7, 7, 7, 7}"}};

/// Null when it is left out.
Result<const Tensor*> value_of(const Node& node) {
  const auto it = node.attributes.find("value");
  if (it == node.attributes.end()) return nullptr;
  const Tensor* value = std::get_if<Tensor>(&it->second);
  if (value != nullptr && value->count() == 1) return value;
  return fail(ErrorCode::kInvalidArgument, "attribute 'value': found another thing, expected a tensor of one element");
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const Tensor* value, value_of(context.node()));
  MORU_ASSIGN_OR_RETURN(const auto shape, ops::constant_ints(context, 0));
  const DType dtype = value == nullptr ? DType::kFloat32 : value->dtype();
  if (shape) {
    MORU_RETURN_IF_ERROR(ops::check_extents(*shape, ops::input_label(context, 0)));
    context.set_output(0, {dtype, ops::to_shape(*shape)});
    return {};
  }
  const auto rank = ops::list_length(context, 0);
  context.set_output(0, {dtype, rank ? std::optional(SymbolicShape(*rank)) : std::nullopt});
  return {};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const Tensor* value, value_of(context.node));
  if (value != nullptr) ops::fill(*value, context.outputs[0]);
  return {};
}

}  // namespace

extern const OpSpec kOp_constant_of_shape;
const OpSpec kOp_constant_of_shape{.name = "ConstantOfShape",
                                   .domain = "",
                                   .since = 9,
                                   .doc = "A tensor of a given shape whose elements are all one value.",
                                   .inputs = kInputs,
                                   .outputs = kOutputs,
                                   .attributes = kAttributes,
                                   .infer = infer,
                                   .reference = reference,
                                   .examples = kExamples};

}  // namespace moru::model
