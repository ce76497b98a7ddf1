// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/movement.h"

namespace moru::model::ops {

Status expect_movable(const InferContext& context, std::size_t index) {
  const auto dtype = context.input(index).dtype;
  if (!dtype || element_size(*dtype)) return {};
  return fail(ErrorCode::kUnsupported,
              fmt::format("{}: found {}, expected a type whose elements are whole bytes", input_label(context, index), to_string(*dtype)));
}

Result<std::optional<DType>> common_movable(const InferContext& context, std::size_t first, std::size_t last) {
  std::optional<DType> common;
  for (std::size_t i = first; i <= last; ++i) {
    MORU_RETURN_IF_ERROR(expect_movable(context, i));
    const auto dtype = context.input(i).dtype;
    if (common && dtype && *common != *dtype) {
      return input_error(context, i, fmt::format("found {}, expected {} as the input before it", to_string(*dtype), to_string(*common)));
    }
    if (dtype) common = dtype;
  }
  return common;
}

std::size_t element_bytes(const Tensor& tensor) { return element_size(tensor.dtype()).value(); }

void copy_strided(const Tensor& x, std::int64_t start, std::span<const std::int64_t> strides, std::span<const std::int64_t> dims,
                  Tensor& y) {
  if (y.count() == 0) return;
  const ElementCopier copy(x, y);
  std::vector<std::int64_t> index(dims.size(), 0);
  std::int64_t to = 0;
  do {
    std::int64_t from = start;
    for (std::size_t axis = 0; axis < index.size(); ++axis) from += index[axis] * strides[axis];
    copy(to++, from);
  } while (next_index(index, dims));
}

void copy_permuted(const Tensor& x, std::span<const std::int64_t> dims, std::span<const std::int64_t> perm, Tensor& y) {
  const auto x_strides = strides_of(dims);
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> y_dims;
  for (const std::int64_t axis : perm) {
    strides.push_back(x_strides[static_cast<std::size_t>(axis)]);
    y_dims.push_back(dims[static_cast<std::size_t>(axis)]);
  }
  copy_strided(x, 0, strides, y_dims, y);
}

void fill(const Tensor& value, Tensor& y) {
  const ElementCopier copy(value, y);
  for (std::int64_t i = 0; i < y.count(); ++i) copy(i, 0);
}

}  // namespace moru::model::ops
