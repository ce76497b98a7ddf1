// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any type and shape"}};
constexpr PortSpec kOutputs[] = {{"output", "[product of the axes before axis, product of the others]"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "first axis of the second extent, -rank to rank; 1"}};
constexpr OpExample kExamples[] = {{"An image becomes a row", R"(graph "flatten" {
  init x = float32[1, 2, 1, 2] {1, 2, 3, 4}
  y = Flatten(x)
  output y
})",
                                    "float32[1, 4] {1, 2, 3, 4}"}};

Status infer(InferContext& context) {
  const SymbolicShape* x = ops::shape_of(context, 0);
  MORU_ASSIGN_OR_RETURN(std::int64_t axis, int_attribute(context.node(), "axis", 1));
  if (x == nullptr) {
    context.set_output(0, {context.input(0).dtype, SymbolicShape(2)});
    return {};
  }
  const auto rank = static_cast<std::int64_t>(x->size());
  if (axis < -rank || axis > rank)
    return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'axis': found {}, expected {} to {}", axis, -rank, rank));
  const auto split = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  MORU_ASSIGN_OR_RETURN(Dim rows, ops::product(std::span(*x).first(split)));
  MORU_ASSIGN_OR_RETURN(Dim columns, ops::product(std::span(*x).subspan(split)));
  context.set_output(0, {context.input(0).dtype, SymbolicShape{std::move(rows), std::move(columns)}});
  return {};
}

Status reference(EvalContext& context) {
  context.outputs[0] = context.input(0).reshaped(context.outputs[0].dims());
  return {};
}

}  // namespace

extern const OpSpec kOp_flatten;
const OpSpec kOp_flatten{.name = "Flatten",
                         .domain = "",
                         .since = 1,
                         .doc = "The same elements as a matrix. input [d0, ..., dn] -> output [d0 * ... * d(axis-1), d(axis) * ... * dn].",
                         .inputs = kInputs,
                         .outputs = kOutputs,
                         .attributes = kAttributes,
                         .infer = infer,
                         .reference = reference,
                         .examples = kExamples};

}  // namespace moru::model
