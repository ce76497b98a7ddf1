// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/lines.h"

#include <algorithm>

#include "model/ops/support/rewrite.h"

namespace moru::model::ops {

Lines lines_along(const Dims& dims, std::size_t axis) {
  Lines lines{dims[axis], product_of(std::span(dims).subspan(axis + 1)), 0};
  lines.count = product_of(std::span(dims).first(axis)) * lines.inner;
  return lines;
}

Status check_axis(const InferContext& context, std::int64_t fallback) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(context.node(), "axis", fallback));
  if (const SymbolicShape* shape = shape_of(context, 0)) MORU_RETURN_IF_ERROR(normalize_axis(axis, shape->size()));
  return {};
}

Result<std::size_t> axis_of(const EvalContext& context, std::int64_t fallback) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(context.node, "axis", fallback));
  return normalize_axis(axis, context.input(0).rank());
}

Status infer_softmax(InferContext& context) {
  MORU_RETURN_IF_ERROR(check_axis(context, -1));
  return infer_like_input(context, kFloats);
}

Status upgrade_softmax(NodeRewrite& rewrite) {
  if (rewrite.opset >= 13) return {};
  MORU_RETURN_IF_ERROR(expect_inputs(rewrite, 1));
  if (!has_output(rewrite.node, 0)) return fail(ErrorCode::kInvalidArgument, "output 0: found none, expected one");
  const ValueId input = rewrite.node.inputs[0];
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(rewrite.node, "axis", 1));
  rewrite.node.attributes.insert_or_assign("axis", std::int64_t{-1});
  const auto& shape = rewrite.graph.value(input).type.shape;
  if (axis == -1 || (shape && axis == std::ssize(*shape) - 1)) return {};
  // Softmax of [product of the axes before, product of the others], in the shape that it had.
  const ValueId dims = run_before(rewrite, "Shape", {input});
  rewrite.node.inputs[0] = run_before(rewrite, "Flatten", {input}, {{"axis", axis}});
  run_after(rewrite, 0, "Reshape", {dims});
  return {};
}

Status infer_arg(InferContext& context) {
  MORU_RETURN_IF_ERROR(expect_dtype(context, 0, kNumbers));
  MORU_RETURN_IF_ERROR(check_axis(context, 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t given, int_attribute(context.node(), "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t keeps, int_attribute(context.node(), "keepdims", 1));
  context.set_output(0, {DType::kInt64, std::nullopt});
  const SymbolicShape* data = shape_of(context, 0);
  if (data == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(given, data->size()));
  SymbolicShape shape = *data;
  if (keeps != 0) {
    shape[axis] = Dim{1, {}};
  } else {
    shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
  }
  context.set_output(0, {DType::kInt64, std::move(shape)});
  return {};
}

}  // namespace moru::model::ops
