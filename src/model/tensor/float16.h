// SPDX-License-Identifier: Apache-2.0
// Floats of 16 and 8 bits: storage, and exact conversion to and from float. Arithmetic is done in float.
//
// float16 is IEEE 754 binary16, bfloat16 the upper half of binary32. The floats of 8 bits are those of Micikevicius et al.,
// "FP8 Formats for Deep Learning" (2022), and Noune et al., "8-bit Numerical Formats for Deep Neural Networks" (2022; "UZ"),
// as ONNX names them.
#pragma once

#include <compare>
#include <cstdint>
#include <type_traits>

namespace moru::model {

/// What the largest exponent and the negative zero stand for.
enum class FloatKind : std::uint8_t {
  kIeee,  ///< largest exponent: infinity and NaNs
  kFn,    ///< no infinity ("finite"); all bits but the sign set is the one NaN
  kFnuz,  ///< no infinity and one zero; what would be -0 is the one NaN
};

namespace detail {
struct FloatLayout {
  int exponent_bits;
  int mantissa_bits;
  int bias;
  FloatKind kind;
};
float decode(std::uint32_t bits, const FloatLayout& layout);
/// To nearest, ties to even. Beyond the largest: infinity where there is one, else NaN; the largest when `saturate`.
std::uint32_t encode(double value, const FloatLayout& layout, bool saturate);
/// The same, but a NaN keeps its payload.
std::uint32_t encode(float value, const FloatLayout& layout, bool saturate);
}  // namespace detail

/// A float in fewer bits. NaNs of 16-bit types keep what fits of their payload.
template <class BitsType, int kExponentBits, int kMantissaBits, int kBias, FloatKind kKind>
class SmallFloat {
 public:
  using Bits = BitsType;
  SmallFloat() = default;
  explicit SmallFloat(float value) : bits_(static_cast<Bits>(detail::encode(value, kLayout, false))) {}
  /// Rounded once, also from a double.
  template <class T>
    requires std::is_arithmetic_v<T>
  explicit SmallFloat(T value) : bits_(static_cast<Bits>(detail::encode(static_cast<double>(value), kLayout, false))) {}
  static SmallFloat from_bits(Bits bits) {
    SmallFloat result;
    result.bits_ = bits;
    return result;
  }
  /// Values beyond the largest one, infinities too, become the largest.
  static SmallFloat saturated(float value) { return from_bits(static_cast<Bits>(detail::encode(value, kLayout, true))); }
  explicit operator float() const { return detail::decode(bits_, kLayout); }
  explicit operator double() const { return static_cast<double>(detail::decode(bits_, kLayout)); }
  Bits bits() const { return bits_; }
  /// As floats: NaN is equal to nothing, and the zeros are equal.
  friend bool operator==(SmallFloat a, SmallFloat b) { return static_cast<float>(a) == static_cast<float>(b); }
  friend std::partial_ordering operator<=>(SmallFloat a, SmallFloat b) { return static_cast<float>(a) <=> static_cast<float>(b); }

 private:
  static constexpr detail::FloatLayout kLayout{kExponentBits, kMantissaBits, kBias, kKind};
  Bits bits_ = 0;
};

using Float16 = SmallFloat<std::uint16_t, 5, 10, 15, FloatKind::kIeee>;
using BFloat16 = SmallFloat<std::uint16_t, 8, 7, 127, FloatKind::kIeee>;
using Float8E4M3FN = SmallFloat<std::uint8_t, 4, 3, 7, FloatKind::kFn>;
using Float8E4M3FNUZ = SmallFloat<std::uint8_t, 4, 3, 8, FloatKind::kFnuz>;
using Float8E5M2 = SmallFloat<std::uint8_t, 5, 2, 15, FloatKind::kIeee>;
using Float8E5M2FNUZ = SmallFloat<std::uint8_t, 5, 2, 16, FloatKind::kFnuz>;
static_assert(sizeof(Float16) == 2 && sizeof(BFloat16) == 2 && sizeof(Float8E4M3FN) == 1);

}  // namespace moru::model
