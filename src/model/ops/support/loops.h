// SPDX-License-Identifier: Apache-2.0
// How reference implementations walk over tensors.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/result.h"
#include "model/tensor/tensor.h"

namespace moru::model::ops {

/// Steps `index` to the next tuple below `dims`, the last axis fastest; false after the last one (index is then zeros).
inline bool next_index(std::span<std::int64_t> index, std::span<const std::int64_t> dims) {
  for (std::size_t axis = dims.size(); axis-- > 0;) {
    if (++index[axis] < dims[axis]) return true;
    index[axis] = 0;
  }
  return false;
}

/// Elements from one index of an axis to the next, for row-major data.
inline std::vector<std::int64_t> strides_of(std::span<const std::int64_t> dims) {
  std::vector<std::int64_t> strides(dims.size(), 1);
  for (std::size_t axis = dims.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * dims[axis];
  return strides;
}

inline std::int64_t product_of(std::span<const std::int64_t> dims) {
  std::int64_t product = 1;
  for (const std::int64_t dim : dims) product *= dim;
  return product;
}

/// Calls f.operator()<T>() for the element type; kUnsupported when T is none of Ts.
template <class... Ts, class F>
Status for_dtype(DType dtype, F&& f) {
  Status status = fail(ErrorCode::kUnsupported, fmt::format("found {}, expected a type that the op has a reference for", to_string(dtype)));
  const auto attempt = [&]<class T>() {
    if (DTypeOf<T>::value != dtype) return false;
    status = f.template operator()<T>();
    return true;
  };
  (void)(attempt.template operator()<Ts>() || ...);
  return status;
}

/// What arithmetic on elements of type T is done in: T itself, but float for floats of 16 bits.
template <class T>
struct ComputeOf {
  using Type = T;
};
template <>
struct ComputeOf<Float16> {
  using Type = float;
};
template <>
struct ComputeOf<BFloat16> {
  using Type = float;
};
template <class T>
using Compute = typename ComputeOf<T>::Type;

template <class F>
Status for_float_dtype(DType dtype, F&& f) {
  return for_dtype<float, double, Float16, BFloat16>(dtype, std::forward<F>(f));
}

template <class F>
Status for_numeric_dtype(DType dtype, F&& f) {
  return for_dtype<float, double, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t, std::int64_t,
                   std::uint64_t>(dtype, std::forward<F>(f));
}

/// The strides of `dims` seen as `out_dims`: 0 on axes that are stretched.
inline std::vector<std::int64_t> broadcast_strides(std::span<const std::int64_t> dims, std::span<const std::int64_t> out_dims) {
  std::vector<std::int64_t> strides(out_dims.size(), 0);
  const auto own = strides_of(dims);
  const std::size_t offset = out_dims.size() - dims.size();
  for (std::size_t axis = 0; axis < dims.size(); ++axis) strides[offset + axis] = dims[axis] == 1 ? 0 : own[axis];
  return strides;
}

/// out[i] = f(a[i], b[i]) with a and b stretched to out's shape.
template <class T, class F>
void for_each_broadcast(const Tensor& a, const Tensor& b, Tensor& out, F f) {
  if (out.count() == 0) return;
  const Dims dims = out.rank() == 0 ? Dims{1} : out.dims();
  const auto x_strides = broadcast_strides(a.dims(), dims);
  const auto y_strides = broadcast_strides(b.dims(), dims);
  const std::span<const std::int64_t> outer(dims.data(), dims.size() - 1);
  std::vector<std::int64_t> index(outer.size(), 0);
  const T* const x = a.data<T>().data();
  const T* const y = b.data<T>().data();
  T* z = out.mutable_data<T>().data();
  do {
    std::int64_t x_at = 0;
    std::int64_t y_at = 0;
    for (std::size_t axis = 0; axis < outer.size(); ++axis) {
      x_at += index[axis] * x_strides[axis];
      y_at += index[axis] * y_strides[axis];
    }
    for (std::int64_t i = 0; i < dims.back(); ++i) *z++ = f(x[x_at + i * x_strides.back()], y[y_at + i * y_strides.back()]);
  } while (next_index(index, outer));
}

}  // namespace moru::model::ops
