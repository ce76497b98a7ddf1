// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/integers.h"

#include <fmt/format.h>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"

namespace moru::model::ops {
namespace {

bool is_single(const SymbolicShape& shape) { return shape.empty() || (shape.size() == 1 && (!shape[0].known() || shape[0].value == 1)); }

}  // namespace

Result<Tensor> without_zero_point(const Tensor& x, const Tensor* zero, Dims zero_dims) {
  MORU_ASSIGN_OR_RETURN(Tensor shifted, Tensor::create(DType::kInt32, x.dims()));
  if (x.count() == 0) return shifted;
  MORU_RETURN_IF_ERROR((for_dtype<std::int8_t, std::uint8_t>(x.dtype(), [&]<class T>() -> Status {
    std::int32_t* to = shifted.mutable_data<std::int32_t>().data();
    const auto strides = broadcast_strides(zero_dims, x.dims());
    std::vector<std::int64_t> index(x.rank(), 0);
    for (const T value : x.data<T>()) {
      std::int64_t at = 0;
      for (std::size_t axis = 0; axis < index.size(); ++axis) at += index[axis] * strides[axis];
      const std::int32_t offset = zero == nullptr ? 0 : zero->data<T>()[static_cast<std::size_t>(at)];
      *to++ = static_cast<std::int32_t>(value) - offset;
      (void)next_index(index, x.dims());
    }
    return {};
  })));
  return shifted;
}

Status expect_single(const InferContext& context, std::size_t index) {
  const SymbolicShape* shape = shape_of(context, index);
  if (shape == nullptr || is_single(*shape)) return {};
  return input_error(context, index, fmt::format("found {}, expected a scalar", to_string(*shape)));
}

Status expect_single_or(const InferContext& context, std::size_t index, const Dim& extent, std::string_view what) {
  const SymbolicShape* shape = shape_of(context, index);
  if (shape == nullptr || is_single(*shape)) return {};
  MORU_RETURN_IF_ERROR(expect_rank(context, index, 1, what));
  return expect_extent(context, index, 0, extent, what);
}

Status expect_same_dtype(const InferContext& context, std::size_t index, std::size_t as) {
  const auto found = context.input(index).dtype;
  const auto expected = context.input(as).dtype;
  if (!found || !expected || *found == *expected) return {};
  return input_error(context, index,
                     fmt::format("found {}, expected {} as {}", to_string(*found), to_string(*expected), input_label(context, as)));
}

Status expect_zero_point_of_matrix(const InferContext& context, std::size_t index, std::size_t matrix, bool rows) {
  const SymbolicShape* shape = shape_of(context, matrix);
  if (shape == nullptr) return {};
  // A vector is a matrix of one row (left) or one column (right).
  Dim extent{1, {}};
  if (shape->size() > 1) extent = rows ? (*shape)[shape->size() - 2] : shape->back();
  return expect_single_or(context, index, extent, rows ? "an entry a row" : "an entry a column");
}

Dims zero_dims_of_matrix(const Tensor* zero, bool rows) {
  if (zero == nullptr || zero->count() == 1) return {};
  return rows ? Dims{zero->count(), 1} : Dims{zero->count()};
}

std::int32_t zero_point_of(const Tensor* zero) {
  if (zero == nullptr || zero->count() == 0) return 0;
  return zero->dtype() == DType::kInt8 ? zero->data<std::int8_t>()[0] : zero->data<std::uint8_t>()[0];
}

}  // namespace moru::model::ops
