// SPDX-License-Identifier: Apache-2.0
// What the reductions share: axes, shapes, the walk, and how opsets before 18 had them (axes as an attribute).
#pragma once

#include <algorithm>

#include "model/ops/support/shape.h"
#include "model/ops/support/types.h"

namespace moru::model::ops {

inline constexpr PortSpec kReduceInputs[] = {{"data", "any shape"},
                                             {"axes", "int64 [number of axes], negative ones from the end; all axes", true}};
inline constexpr PortSpec kReduceOutputs[] = {{"reduced", "data's shape with 1 in the axes, or without them"}};
inline constexpr AttributeSpec kReduceAttributes[] = {
    {"keepdims", AttributeKind::kInt, "1: the axes stay with extent 1; 1"},
    {"noop_with_empty_axes", AttributeKind::kInt, "1: without axes nothing is reduced; 0"},
};

Status infer_reduce_of(InferContext& context, std::initializer_list<DType> allowed);
template <const auto& kAllowed>
Status infer_reduce(InferContext& context) {
  return infer_reduce_of(context, kAllowed);
}
Status upgrade_reduce(NodeRewrite& rewrite);
Status downgrade_reduce(NodeRewrite& rewrite);
/// ReduceSum took its axes as an input five opsets before the others.
Status upgrade_reduce_sum(NodeRewrite& rewrite);

/// How the elements that are reduced together lie.
struct ReducePlan {
  std::vector<std::int64_t> kept_dims;
  std::vector<std::int64_t> kept_strides;
  std::vector<std::int64_t> reduced_dims;
  std::vector<std::int64_t> reduced_strides;
  bool is_noop = false;
};
Result<ReducePlan> plan_reduce(const EvalContext& context);

/// Calls visit(offset) for each index below `dims`, in order.
template <class F>
void for_each_offset(std::span<const std::int64_t> dims, std::span<const std::int64_t> strides, F visit) {
  if (product_of(dims) == 0) return;
  std::vector<std::int64_t> index(dims.size(), 0);
  do {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < dims.size(); ++axis) offset += index[axis] * strides[axis];
    visit(static_cast<std::size_t>(offset));
  } while (next_index(index, dims));
}

/// reduced = f<T>(elements) for each group of elements, given as Wide<T> in the order of data; also for no elements.
template <class F>
Status reference_reduce(EvalContext& context, F f) {
  MORU_ASSIGN_OR_RETURN(const ReducePlan plan, plan_reduce(context));
  return for_number_or_bool_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    const auto data = context.input(0).data<T>();
    const auto out = context.outputs[0].mutable_data<T>();
    if (plan.is_noop) {
      std::ranges::copy(data, out.begin());
      return {};
    }
    std::vector<Wide<T>> group;
    std::size_t i = 0;
    for_each_offset(plan.kept_dims, plan.kept_strides, [&](std::size_t start) {
      group.clear();
      for_each_offset(plan.reduced_dims, plan.reduced_strides, [&](std::size_t offset) { group.push_back(widen(data[start + offset])); });
      out[i++] = narrow<T>(f.template operator()<T>(std::span<const Wide<T>>(group)));
    });
    return {};
  });
}

/// The sum of f(x); integers wrap around.
template <class W, class F>
W sum_of(std::span<const W> values, F f) {
  W sum{0};
  for (const W value : values) sum = wrap_add(sum, f(value));
  return sum;
}

/// An OpSpec of a reduction.
constexpr OpSpec reduce_op(std::string_view name, std::string_view doc, Status (*infer)(InferContext&), Status (*reference)(EvalContext&),
                           std::span<const OpExample> examples) {
  return {.name = name,
          .domain = "",
          .since = 1,
          .doc = doc,
          .inputs = kReduceInputs,
          .outputs = kReduceOutputs,
          .attributes = kReduceAttributes,
          .infer = infer,
          .reference = reference,
          .examples = examples,
          .gaps = {},
          .upgrade = upgrade_reduce,
          .downgrade = downgrade_reduce};
}

}  // namespace moru::model::ops
