// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/pad.h"

#include <fmt/format.h>

#include "model/ops/support/movement.h"

namespace moru::model::tflite_ops {
namespace {

/// Checks what is known of the paddings; gives the shape of the output.
Result<SymbolicShape> padded_shape(const InferContext& context, const SymbolicShape& x, std::span<const std::int64_t> paddings) {
  if (paddings.size() != 2 * x.size())
    return ops::input_error(context, 1, fmt::format("found {} numbers, expected 2 for each of {} axes", paddings.size(), x.size()));
  SymbolicShape y(x.size());
  for (std::size_t axis = 0; axis < x.size(); ++axis) {
    const std::int64_t before = paddings[2 * axis];
    const std::int64_t after = paddings[2 * axis + 1];
    if (before < 0 || after < 0 || before > ops::kMaxExtent || after > ops::kMaxExtent)
      return ops::input_error(context, 1, fmt::format("found {} and {} for axis {}, expected 0 or more", before, after, axis));
    if (before == 0 && after == 0) {
      y[axis] = x[axis];
    } else if (x[axis].known()) {
      y[axis] = Dim{x[axis].value + before + after, {}};
    }
  }
  return y;
}

/// Where the element that stands at `at` comes from on an axis that was mirrored; -1 outside of what the mirror shows.
std::int64_t mirrored(std::int64_t at, std::int64_t extent, Border border) {
  const std::int64_t edge = border == Border::kReflect ? 0 : 1;
  if (at < 0) at = -at - edge;
  if (at >= extent) at = 2 * extent - 2 + edge - at;
  return at >= 0 && at < extent ? at : -1;
}

Status check_mirror(const Dims& x, std::span<const std::int64_t> paddings, Border border) {
  for (std::size_t axis = 0; axis < x.size(); ++axis) {
    const std::int64_t most = border == Border::kReflect ? x[axis] - 1 : x[axis];
    for (const std::int64_t padding : paddings.subspan(2 * axis, 2)) {
      if (padding > most)
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("input 1 (paddings): found {} for axis {}, expected at most {}", padding, axis, most));
    }
  }
  return {};
}

Status fill_border(EvalContext& context, Border border) {
  Tensor& y = context.outputs[0];
  if (border == Border::kConstant) {
    if (context.input(2).count() != 1 || context.input(2).dtype() != y.dtype())
      return fail(ErrorCode::kInvalidArgument,
                  "input 2 (constant): found another type or number, expected one element of the input's type");
    ops::fill(context.input(2), y);
    return {};
  }
  const DType dtype = y.dtype();
  if ((dtype != DType::kInt8 && dtype != DType::kUInt8 && dtype != DType::kInt16) || !is_quantized(context.output_types, 0)) return {};
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  return ops::for_dtype<std::int8_t, std::uint8_t, std::int16_t>(dtype, [&]<class T>() -> Status {
    std::ranges::fill(y.mutable_data<T>(), static_cast<T>(out.zero_point));
    return {};
  });
}

}  // namespace

Status infer_pad(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, {DType::kInt32, DType::kInt64}));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 2, "[rank, 2]"));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr) return {};
  if (context.constant(1) == nullptr) {
    context.set_output(0, {context.input(0).dtype, SymbolicShape(x->size())});
    return {};
  }
  MORU_ASSIGN_OR_RETURN(SymbolicShape y, padded_shape(context, *x, ops::to_ints(*context.constant(1))));
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status run_pad(EvalContext& context, Border border) {
  const Tensor& x = context.input(0);
  Tensor& y = context.outputs[0];
  const auto paddings = ops::to_ints(context.input(1));
  const bool mirror = border == Border::kReflect || border == Border::kSymmetric;
  if (mirror) {
    MORU_RETURN_IF_ERROR(check_mirror(x.dims(), paddings, border));
  } else {
    MORU_RETURN_IF_ERROR(fill_border(context, border));
  }
  if (x.count() == 0) return {};
  const auto strides = ops::strides_of(x.dims());
  ops::gather_elements(x, y, [&](std::span<const std::int64_t> index) {
    std::int64_t from = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) {
      std::int64_t at = index[axis] - paddings[2 * axis];
      if (mirror) at = mirrored(at, x.dims()[axis], border);
      if (at < 0 || at >= x.dims()[axis]) return std::int64_t{-1};
      from += at * strides[axis];
    }
    return from;
  });
  return {};
}

}  // namespace moru::model::tflite_ops
