// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/scatter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"
#include "model/ops/support/types.h"

namespace moru::model::ops {
namespace {

constexpr std::array<std::string_view, 5> kReductions = {"none", "add", "mul", "min", "max"};

Result<std::string> reduction_of(const Node& node) {
  MORU_ASSIGN_OR_RETURN(std::string reduction, string_attribute(node, "reduction", "none"));
  if (std::ranges::find(kReductions, reduction) != kReductions.end()) return reduction;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("attribute 'reduction': found '{:.40}', expected none, add, mul, min or max", reduction));
}

/// NaN wins, as in max and min of ONNX.
template <class T>
T lesser(T a, T b) {
  return is_nan(a) || a < b ? a : b;
}
template <class T>
T greater(T a, T b) {
  return is_nan(a) || b < a ? a : b;
}

template <class T>
T joined(std::string_view reduction, T old, T update) {
  const Wide<T> a = widen(old);
  const Wide<T> b = widen(update);
  if (reduction == "add") return narrow<T>(wrap_add(a, b));
  if (reduction == "mul") return narrow<T>(wrap_multiply(a, b));
  return narrow<T>(reduction == "min" ? lesser(a, b) : greater(a, b));
}

}  // namespace

Status infer_scatter(InferContext& context, std::initializer_list<DType> index_types) {
  MORU_RETURN_IF_ERROR(expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(expect_dtype(context, 1, index_types));
  MORU_ASSIGN_OR_RETURN(const std::string reduction, reduction_of(context.node()));
  const auto dtype = context.input(0).dtype;
  const auto updates = context.input(2).dtype;
  if (dtype && updates && *dtype != *updates) {
    return input_error(context, 2, fmt::format("found {}, expected {} as of data", to_string(*updates), to_string(*dtype)));
  }
  // What has no arithmetic can only be replaced.
  if (dtype && reduction != "none") {
    MORU_RETURN_IF_ERROR_IN(input_label(context, 0), for_number_dtype(*dtype, []<class T>() -> Status { return {}; }));
  }
  context.set_output(0, {dtype ? dtype : updates, context.input(0).shape});
  return {};
}

Status scatter(EvalContext& context, const std::vector<std::int64_t>& targets, std::int64_t block) {
  context.outputs[0] = context.input(0).clone();
  Tensor& y = context.outputs[0];
  const Tensor& updates = context.input(2);
  MORU_ASSIGN_OR_RETURN(const std::string reduction, reduction_of(context.node));
  if (reduction == "none") {
    const ElementCopier copy(updates, y, block);
    for (std::size_t i = 0; i < targets.size(); ++i) copy(targets[i], static_cast<std::int64_t>(i));
    return {};
  }
  return for_number_dtype(y.dtype(), [&]<class T>() -> Status {
    const T* from = updates.data<T>().data();
    T* to = y.mutable_data<T>().data();
    for (const std::int64_t target : targets) {
      for (std::int64_t i = 0; i < block; ++i) {
        T& element = to[target * block + i];
        element = joined<T>(reduction, element, *from++);
      }
    }
    return {};
  });
}

Status infer_scatter_elements(InferContext& context) {
  MORU_RETURN_IF_ERROR(infer_scatter(context, kIndexTypes));
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node(), "axis", 0));
  const SymbolicShape* x = shape_of(context, 0);
  if (x == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(given_axis, x->size()));
  MORU_RETURN_IF_ERROR(expect_rank(context, 1, x->size(), "as data"));
  MORU_RETURN_IF_ERROR(expect_rank(context, 2, x->size(), "as data"));
  const SymbolicShape* indices = shape_of(context, 1);
  for (std::size_t i = 0; indices != nullptr && i < x->size(); ++i) {
    MORU_RETURN_IF_ERROR(expect_extent(context, 2, i, (*indices)[i], "as indices"));
    if (i != axis && (*x)[i].known() && (*indices)[i].value > (*x)[i].value) {
      return input_error(context, 1,
                         fmt::format("found {} in axis {}, expected at most {} as data has", (*indices)[i].value, i, (*x)[i].value));
    }
  }
  return {};
}

Status reference_scatter_elements(EvalContext& context) {
  const Dims& dims = context.input(0).dims();
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(given_axis, dims.size()));
  const Tensor& indices = context.input(1);
  MORU_ASSIGN_OR_RETURN(auto targets, read_indices(indices, dims[axis], "input 1 (indices)"));
  const auto strides = strides_of(dims);
  std::vector<std::int64_t> index(dims.size(), 0);
  for (std::int64_t& target : targets) {
    target *= strides[axis];
    for (std::size_t i = 0; i < index.size(); ++i) target += i == axis ? 0 : index[i] * strides[i];
    next_index(index, indices.dims());
  }
  return scatter(context, targets, 1);
}

Status downgrade_reduction(NodeRewrite& rewrite) {
  if (rewrite.opset >= 18) return {};
  MORU_ASSIGN_OR_RETURN(const std::string reduction, reduction_of(rewrite.node));
  if (reduction == "none") {
    if (rewrite.opset < 16) drop_attribute(rewrite, "reduction");
    return {};
  }
  const bool is_old = reduction == "add" || reduction == "mul";
  return rewrite.opset >= 16 && is_old ? Status() : not_in_opset(rewrite, fmt::format("reduction '{}'", reduction));
}

}  // namespace moru::model::ops
