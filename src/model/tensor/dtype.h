// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "core/result.h"
#include "model/tensor/float16.h"

namespace moru::model {

/// Element types of tensors. Names are ONNX's, in lower case.
enum class DType : std::uint8_t {
  kFloat32,
  kFloat64,
  kInt8,
  kUInt8,
  kInt16,
  kUInt16,
  kInt32,
  kUInt32,
  kInt64,
  kUInt64,
  kBool,
  kFloat16,
  kBFloat16,
  kFloat8E4M3FN,
  kFloat8E4M3FNUZ,
  kFloat8E5M2,
  kFloat8E5M2FNUZ,
  kComplex64,
  kComplex128,
  // Those below have no element of a C++ type of its own.
  kInt4,    ///< two a byte, the first in the low bits
  kUInt4,   ///< as kInt4
  kString,  ///< see Tensor::strings()
};
inline constexpr DType kLastDType = DType::kString;

/// "float32", "int8", ...
std::string_view to_string(DType dtype);
std::optional<DType> dtype_from_string(std::string_view name);

/// Bits of one element; of a string its place in the table of strings.
std::size_t bits_of(DType dtype);
/// Bytes of one element. kUnsupported for elements that cannot be moved byte by byte: of 4 bits, and strings.
Result<std::size_t> element_size(DType dtype);
/// Bytes of `count` elements, rounded up; for strings the bytes when all are empty.
std::size_t bytes_for(DType dtype, std::int64_t count);

/// The C++ types of elements, in the order of DType.
using ElementTypes = std::tuple<float, double, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t,
                                std::int64_t, std::uint64_t, bool, Float16, BFloat16, Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2,
                                Float8E5M2FNUZ, std::complex<float>, std::complex<double>>;
static_assert(std::tuple_size_v<ElementTypes> == static_cast<std::size_t>(DType::kInt4));

namespace detail {
template <class T, class... Ts>
constexpr std::size_t index_in(const std::tuple<Ts...>* /*list*/) {
  std::size_t index = 0;
  (void)((std::is_same_v<T, Ts> || (++index, false)) || ...);
  return index;
}
}  // namespace detail

/// DTypeOf<float>::value is DType::kFloat32.
template <class T>
struct DTypeOf {
  static constexpr std::size_t kIndex = detail::index_in<T>(static_cast<const ElementTypes*>(nullptr));
  static_assert(kIndex < std::tuple_size_v<ElementTypes>, "T is no element type of tensors");
  static constexpr DType value = static_cast<DType>(kIndex);
};

/// Calls f.operator()<T>() for the C++ type of the elements; false for int4, uint4 and string, which have none.
template <class F>
bool visit_element_type(DType dtype, F&& f) {
  return [&]<class... Ts>(const std::tuple<Ts...>*) {
    return ((DTypeOf<Ts>::value == dtype && (static_cast<void>(f.template operator()<Ts>()), true)) || ...);
  }(static_cast<const ElementTypes*>(nullptr));
}

/// float, double and the floats of 16 and 8 bits.
template <class T>
inline constexpr bool kIsFloat = std::is_floating_point_v<T>;
template <class Bits, int kExponentBits, int kMantissaBits, int kBias, FloatKind kKind>
inline constexpr bool kIsFloat<SmallFloat<Bits, kExponentBits, kMantissaBits, kBias, kKind>> = true;

}  // namespace moru::model
