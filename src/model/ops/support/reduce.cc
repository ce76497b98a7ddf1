// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/reduce.h"

#include <fmt/format.h>

#include <algorithm>

namespace moru::model::ops {
namespace {

/// Which axes are reduced; of no axes, all of them.
Result<std::vector<bool>> reduced_axes(std::span<const std::int64_t> axes, std::size_t rank) {
  std::vector<bool> reduced(rank, axes.empty());
  for (const std::int64_t axis : axes) {
    MORU_ASSIGN_OR_RETURN(const std::size_t index, normalize_axis(axis, rank));
    if (reduced[index]) return fail(ErrorCode::kInvalidArgument, fmt::format("input 1 (axes): found axis {} twice, expected once", axis));
    reduced[index] = true;
  }
  return reduced;
}

Result<bool> flag(const Node& node, std::string_view name, std::int64_t fallback) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t value, int_attribute(node, name, fallback));
  return value != 0;
}

}  // namespace

Status infer_reduce_of(InferContext& context, std::initializer_list<DType> allowed) {
  MORU_RETURN_IF_ERROR(expect_dtype(context, 0, allowed));
  const auto dtype = context.input(0).dtype;
  MORU_ASSIGN_OR_RETURN(const bool keeps, flag(context.node(), "keepdims", 1));
  MORU_ASSIGN_OR_RETURN(const bool noop, flag(context.node(), "noop_with_empty_axes", 0));
  const bool axes_given = context.has_input(1);
  MORU_ASSIGN_OR_RETURN(const auto axes, constant_ints(context, 1));
  context.set_output(0, {dtype, std::nullopt});
  const SymbolicShape* data = shape_of(context, 0);
  if (data == nullptr) return {};
  if (axes_given && !axes) {
    if (keeps) context.set_output(0, {dtype, SymbolicShape(data->size())});
    return {};
  }
  const auto list = axes.value_or(std::vector<std::int64_t>{});
  if (list.empty() && noop) {
    context.set_output(0, {dtype, *data});
    return {};
  }
  MORU_ASSIGN_OR_RETURN(const auto reduced, reduced_axes(list, data->size()));
  SymbolicShape shape;
  for (std::size_t i = 0; i < data->size(); ++i) {
    if (!reduced[i]) {
      shape.push_back((*data)[i]);
    } else if (keeps) {
      shape.push_back({1, {}});
    }
  }
  context.set_output(0, {dtype, std::move(shape)});
  return {};
}

Result<ReducePlan> plan_reduce(const EvalContext& context) {
  const Dims& dims = context.input(0).dims();
  std::vector<std::int64_t> axes;
  if (context.has_input(1)) {
    const auto given = context.input(1).data<std::int64_t>();
    axes.assign(given.begin(), given.end());
  }
  ReducePlan plan;
  MORU_ASSIGN_OR_RETURN(const bool noop, flag(context.node, "noop_with_empty_axes", 0));
  plan.is_noop = noop && axes.empty();
  MORU_ASSIGN_OR_RETURN(const auto reduced, reduced_axes(axes, dims.size()));
  const auto strides = strides_of(dims);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    (reduced[i] ? plan.reduced_dims : plan.kept_dims).push_back(dims[i]);
    (reduced[i] ? plan.reduced_strides : plan.kept_strides).push_back(strides[i]);
  }
  return plan;
}

Status upgrade_reduce(NodeRewrite& rewrite) { return rewrite.opset < 18 ? attribute_to_input(rewrite, "axes", 1) : Status{}; }

Status upgrade_reduce_sum(NodeRewrite& rewrite) { return rewrite.opset < 13 ? attribute_to_input(rewrite, "axes", 1) : Status{}; }

Status downgrade_reduce(NodeRewrite& rewrite) {
  if (rewrite.opset >= 18) return {};
  Node& node = rewrite.node;
  MORU_ASSIGN_OR_RETURN(const bool noop, flag(node, "noop_with_empty_axes", 0));
  drop_attribute(rewrite, "noop_with_empty_axes");
  MORU_RETURN_IF_ERROR(input_to_ints_attribute(rewrite, 1, "axes"));
  MORU_ASSIGN_OR_RETURN(const auto axes, ints_attribute(node, "axes", {}));
  if (!axes.empty()) return {};
  drop_attribute(rewrite, "axes");
  if (noop) node = {node.name, "Identity", {}, node.inputs, node.outputs, {}};
  return {};
}

}  // namespace moru::model::ops
