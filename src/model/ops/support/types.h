// SPDX-License-Identifier: Apache-2.0
// Lists of element types, and the wide type that references compute in.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <type_traits>

#include "model/ops/support/loops.h"

namespace moru::model::ops {

inline constexpr std::initializer_list<DType> kFloats = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16};
inline constexpr std::initializer_list<DType> kIntegers = {DType::kInt8,  DType::kUInt8,  DType::kInt16, DType::kUInt16,
                                                           DType::kInt32, DType::kUInt32, DType::kInt64, DType::kUInt64};
inline constexpr std::initializer_list<DType> kUnsigned = {DType::kUInt8, DType::kUInt16, DType::kUInt32, DType::kUInt64};
inline constexpr std::initializer_list<DType> kNumbers = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16,
                                                          DType::kInt8,    DType::kUInt8,   DType::kInt16,   DType::kUInt16,
                                                          DType::kInt32,   DType::kUInt32,  DType::kInt64,   DType::kUInt64};
inline constexpr std::initializer_list<DType> kBools = {DType::kBool};
inline constexpr std::initializer_list<DType> kNumbersAndBool = {
    DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16, DType::kInt8,   DType::kUInt8, DType::kInt16,
    DType::kUInt16,  DType::kInt32,   DType::kUInt32,  DType::kInt64,    DType::kUInt64, DType::kBool};

template <class T>
inline constexpr bool kIsReal = std::is_floating_point_v<Compute<T>>;

/// Elements of type T are read as Wide<T>, computed with, and rounded (or wrapped around) to T once. For + - * / and sqrt of
/// floats that gives the same bits as T's own arithmetic: double has more than twice their digits.
template <class T>
using Wide = std::conditional_t<kIsReal<T>, double, std::conditional_t<std::is_unsigned_v<Compute<T>>, std::uint64_t, std::int64_t>>;

template <class T>
Wide<T> widen(T value) {
  return static_cast<Wide<T>>(value);
}
/// Integers never are.
template <class T>
bool is_nan(T value) {
  if constexpr (kIsReal<T>) return std::isnan(widen(value));
  return false;
}
/// Floats of 16 bits are rounded to float first, as arithmetic in float would.
template <class T>
T narrow(Wide<T> value) {
  return static_cast<T>(static_cast<Compute<T>>(value));
}

template <class F>
Status for_integer_dtype(DType dtype, F&& f) {
  return for_dtype<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t>(
      dtype, std::forward<F>(f));
}

/// kNumbers.
template <class F>
Status for_number_dtype(DType dtype, F&& f) {
  return for_dtype<float, double, Float16, BFloat16, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t,
                   std::int64_t, std::uint64_t>(dtype, std::forward<F>(f));
}

/// Numbers, and bool as 0 and 1.
template <class F>
Status for_number_or_bool_dtype(DType dtype, F&& f) {
  if (dtype == DType::kBool) return f.template operator()<bool>();
  return for_number_dtype(dtype, std::forward<F>(f));
}

/// Integers wrap around, as in ONNX Runtime; they are computed in 64 unsigned bits, where that is defined.
template <class W>
W wrap_add(W a, W b) {
  if constexpr (std::is_floating_point_v<W>) {
    return a + b;
  } else {
    return static_cast<W>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  }
}
template <class W>
W wrap_subtract(W a, W b) {
  if constexpr (std::is_floating_point_v<W>) {
    return a - b;
  } else {
    return static_cast<W>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
  }
}
template <class W>
W wrap_multiply(W a, W b) {
  if constexpr (std::is_floating_point_v<W>) {
    return a * b;
  } else {
    return static_cast<W>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
  }
}
/// Integers are cut towards 0; `b` is not 0. The lowest one divided by -1 wraps around to itself.
template <class W>
W wrap_divide(W a, W b) {
  if constexpr (std::is_same_v<W, std::int64_t>) {
    if (b == -1) return wrap_subtract(W{0}, a);
  }
  return a / b;
}

/// A real as a number of type W: integers are cut towards 0, those that no W is are 0.
template <class W>
W from_real(double value) {
  if constexpr (std::is_same_v<W, double>) {
    return value;
  } else {
    const bool fits =
        value > static_cast<double>(std::numeric_limits<W>::min()) - 1 && value < static_cast<double>(std::numeric_limits<W>::max());
    return fits ? static_cast<W>(value) : W{0};
  }
}

}  // namespace moru::model::ops
