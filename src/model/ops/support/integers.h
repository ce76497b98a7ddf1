// SPDX-License-Identifier: Apache-2.0
// What the ops on quantised integers share. The arithmetic is that of docs/arithmetic.md.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/result.h"
#include "model/ops/op.h"

namespace moru::model::ops {

inline constexpr std::initializer_list<DType> kBytes = {DType::kInt8, DType::kUInt8};

/// x - zero, exact, as int32; `zero` (null: 0) is seen as `zero_dims`, which must stretch to x's shape. x is int8 or uint8.
Result<Tensor> without_zero_point(const Tensor& x, const Tensor* zero, Dims zero_dims);

/// The low 32 bits of an exact sum: accumulators of int32 wrap around.
inline std::int32_t wrap32(std::int64_t sum) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(sum)));
}

/// The one factor from an accumulator's scale to the output's: float32(x_scale * w_scale / y_scale), the product exact in
/// double, the quotient rounded to double and then to float.
inline float requantize_factor(float x_scale, float w_scale, float y_scale) {
  return static_cast<float>(static_cast<double>(x_scale) * static_cast<double>(w_scale) / static_cast<double>(y_scale));
}

/// The nearest level of T: halves to even, plus zero, saturated; NaN is the zero point.
template <class T>
T to_level(float steps, std::int32_t zero) {
  if (std::isnan(steps)) return static_cast<T>(zero);
  const float level = std::nearbyint(steps) + static_cast<float>(zero);
  return static_cast<T>(
      std::clamp(level, static_cast<float>(std::numeric_limits<T>::min()), static_cast<float>(std::numeric_limits<T>::max())));
}

/// saturate(round(float32(sum) * factor) + zero): one rounding to float32, one product, one rounding to an integer.
template <class T>
T requantize(std::int32_t sum, float factor, std::int32_t zero) {
  return to_level<T>(static_cast<float>(sum) * factor, zero);
}

/// The scale or zero point is one for the whole tensor: a scalar, or [1].
Status expect_single(const InferContext& context, std::size_t index);
/// It is one for all, or [extent], an entry an index of the axis that `what` names.
Status expect_single_or(const InferContext& context, std::size_t index, const Dim& extent, std::string_view what);
/// Input `zero` must have the element type of input `x`, where both are known.
Status expect_same_dtype(const InferContext& context, std::size_t index, std::size_t as);

/// A scale or zero point of a matrix product's input `matrix`: a scalar, or an entry a row (`rows`) or a column.
Status expect_zero_point_of_matrix(const InferContext& context, std::size_t index, std::size_t matrix, bool rows);
/// How it lies beside the matrix: [M] is a column, [N] a row.
Dims zero_dims_of_matrix(const Tensor* zero, bool rows);

/// The first element of an int8 or uint8 zero point; 0 for null.
std::int32_t zero_point_of(const Tensor* zero);

}  // namespace moru::model::ops
