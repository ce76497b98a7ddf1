// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "core/text.h"

namespace moru::model::ops {
namespace {

/// The widest type of T's kind.
template <class T>
using Widest = std::conditional_t<kIsFloat<T>, double, std::conditional_t<std::is_unsigned_v<T>, std::uint64_t, std::int64_t>>;

template <class T>
constexpr bool kIsComplex = std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>;

std::unexpected<Error> not_convertible(DType dtype) {
  return fail(ErrorCode::kUnsupported, fmt::format("found {}, expected numbers that are not complex, bool or string", to_string(dtype)));
}

template <class T>
T saturated_integer(double value) {
  if (std::isnan(value)) return 0;
  if (value <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  if (value >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  return static_cast<T>(value);
}

template <class T, class W>
T convert_one(W value, bool saturate) {
  if constexpr (std::is_same_v<T, bool>) {
    return value != W{0};
  } else if constexpr (kIsFloat<T> && !std::is_floating_point_v<T>) {
    const auto real = static_cast<float>(value);
    return sizeof(T) == 1 && saturate ? T::saturated(real) : static_cast<T>(real);
  } else if constexpr (std::is_same_v<W, double> && !std::is_floating_point_v<T>) {
    return saturated_integer<T>(value);
  } else {
    return static_cast<T>(value);
  }
}

template <class W>
Result<Tensor> store_strings(std::span<const W> values, const Dims& dims) {
  std::vector<std::string> texts;
  for (const W value : values) texts.push_back(fmt::format("{}", value));
  return Tensor::of_strings(dims, texts);
}

template <class W>
Result<Tensor> store(std::span<const W> values, DType dtype, const Dims& dims, bool saturate) {
  if (dtype == DType::kString) return store_strings(values, dims);
  if (dtype == DType::kInt4 || dtype == DType::kUInt4) {
    MORU_ASSIGN_OR_RETURN(Tensor bytes, store<W>(values, dtype == DType::kInt4 ? DType::kInt8 : DType::kUInt8, dims, saturate));
    // The low 4 bits, with the sign that they have.
    if (dtype == DType::kUInt4) {
      for (auto& value : bytes.mutable_data<std::uint8_t>()) value &= 15;
    } else {
      for (auto& value : bytes.mutable_data<std::int8_t>()) value = static_cast<std::int8_t>(((value & 15) ^ 8) - 8);
    }
    return pack_4bit(bytes);
  }
  MORU_ASSIGN_OR_RETURN(Tensor out, Tensor::create(dtype, dims));
  bool done = false;
  visit_element_type(dtype, [&]<class T>() {
    if constexpr (!kIsComplex<T>) {
      std::ranges::transform(values, out.mutable_data<T>().begin(), [&](W value) { return convert_one<T>(value, saturate); });
      done = true;
    }
  });
  if (!done) return not_convertible(dtype);
  return out;
}

/// "1e-5", "+INF", "NaN": as strtod reads, in whatever locale.
Result<double> parse_real(std::string_view text) {
  std::string_view digits = trim(text);
  if (digits.starts_with('+')) digits.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc{} && end == digits.data() + digits.size()) return value;
  return fail(ErrorCode::kInvalidArgument, fmt::format("input 0: found '{:.40}', expected a number", text));
}

Result<Tensor> convert_strings(const Tensor& from, DType to, bool saturate) {
  std::vector<double> reals;
  for (const std::string_view text : from.strings()) {
    MORU_ASSIGN_OR_RETURN(const double value, parse_real(text));
    reals.push_back(value);
  }
  return store<double>(reals, to, from.dims(), saturate);
}

}  // namespace

Result<Tensor> convert(const Tensor& from, DType to, bool saturate) {
  if (from.dtype() == to) return from;
  if (from.dtype() == DType::kString) return convert_strings(from, to, saturate);
  if (from.dtype() == DType::kInt4 || from.dtype() == DType::kUInt4) return convert(unpack_4bit(from), to, saturate);
  Result<Tensor> result = not_convertible(from.dtype());
  visit_element_type(from.dtype(), [&]<class T>() {
    if constexpr (!kIsComplex<T>) {
      std::vector<Widest<T>> values(from.data<T>().size());
      std::ranges::transform(from.data<T>(), values.begin(), [](T value) { return static_cast<Widest<T>>(value); });
      if constexpr (std::is_same_v<T, float>) {
        // A float is written as short as it reads back as a float.
        if (to == DType::kString) {
          result = store_strings(from.data<float>(), from.dims());
          return;
        }
      }
      result = store<Widest<T>>(values, to, from.dims(), saturate);
    }
  });
  return result;
}

}  // namespace moru::model::ops
