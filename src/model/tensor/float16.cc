// SPDX-License-Identifier: Apache-2.0
#include "model/tensor/float16.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace moru::model::detail {
namespace {

constexpr int kFloatMantissaBits = 23;

struct Fields {
  std::uint32_t sign;       ///< the sign's bit
  std::uint32_t magnitude;  ///< all other bits set
  std::uint32_t infinity;   ///< the largest exponent with mantissa 0
  std::uint32_t largest;    ///< the largest finite value
};

constexpr Fields fields_of(const FloatLayout& layout) {
  const std::uint32_t sign = std::uint32_t{1} << static_cast<unsigned>(layout.exponent_bits + layout.mantissa_bits);
  const std::uint32_t infinity = ((std::uint32_t{1} << static_cast<unsigned>(layout.exponent_bits)) - 1)
                                 << static_cast<unsigned>(layout.mantissa_bits);
  std::uint32_t largest = sign - 1;
  if (layout.kind == FloatKind::kIeee) largest = infinity - 1;
  if (layout.kind == FloatKind::kFn) largest = sign - 2;
  return {sign, sign - 1, infinity, largest};
}

std::uint32_t encode_nan(std::uint32_t bits, const FloatLayout& layout, const Fields& fields) {
  if (layout.kind == FloatKind::kFnuz) return fields.sign;
  const std::uint32_t sign = (bits >> 31U) != 0 ? fields.sign : 0;
  if (layout.kind == FloatKind::kFn) return sign | fields.magnitude;
  std::uint32_t payload = (bits & 0x7FFFFFU) >> static_cast<unsigned>(kFloatMantissaBits - layout.mantissa_bits);
  if (payload == 0) payload = std::uint32_t{1} << static_cast<unsigned>(layout.mantissa_bits - 1);  // would be an infinity
  return sign | fields.infinity | payload;
}

}  // namespace

float decode(std::uint32_t bits, const FloatLayout& layout) {
  const Fields fields = fields_of(layout);
  const std::uint32_t magnitude = bits & fields.magnitude;
  const std::uint32_t sign = (bits & fields.sign) != 0 ? 0x80000000U : 0;
  const std::uint32_t mantissa = magnitude & ((std::uint32_t{1} << static_cast<unsigned>(layout.mantissa_bits)) - 1);
  const int exponent = static_cast<int>(magnitude >> static_cast<unsigned>(layout.mantissa_bits));
  if (layout.kind == FloatKind::kFnuz && bits == fields.sign) return std::numeric_limits<float>::quiet_NaN();
  if (layout.kind == FloatKind::kFn && magnitude == fields.magnitude) return std::bit_cast<float>(sign | 0x7FC00000U);
  if (layout.kind == FloatKind::kIeee && magnitude >= fields.infinity)
    return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << static_cast<unsigned>(kFloatMantissaBits - layout.mantissa_bits)));
  const std::uint32_t implicit = exponent == 0 ? 0 : std::uint32_t{1} << static_cast<unsigned>(layout.mantissa_bits);
  const int scale = (exponent == 0 ? 1 : exponent) - layout.bias - layout.mantissa_bits;
  const float value = std::ldexp(static_cast<float>(implicit | mantissa), scale);  // exact: float has more of both
  return sign != 0 ? -value : value;
}

std::uint32_t encode(float value, const FloatLayout& layout, bool saturate) {
  if (value != value) return encode_nan(std::bit_cast<std::uint32_t>(value), layout, fields_of(layout));
  return encode(static_cast<double>(value), layout, saturate);
}

std::uint32_t encode(double value, const FloatLayout& layout, bool saturate) {
  const Fields fields = fields_of(layout);
  if (value != value) return encode_nan(std::bit_cast<std::uint32_t>(static_cast<float>(value)), layout, fields);
  const std::uint32_t sign = std::signbit(value) ? fields.sign : 0;
  std::uint32_t bits = fields.infinity;
  bool too_large = std::isinf(value);
  if (!too_large) {
    // The last place's weight, which below the smallest normal number stays the same.
    const double magnitude = std::fabs(value);
    int exponent = 1 - layout.bias;
    if (magnitude > 0) exponent = std::max(std::ilogb(magnitude), exponent);
    const double steps = std::nearbyint(std::ldexp(magnitude, layout.mantissa_bits - exponent));
    // A mantissa that was rounded up to the next power of two carries into the exponent by itself.
    bits = (static_cast<std::uint32_t>(exponent + layout.bias - 1) << static_cast<unsigned>(layout.mantissa_bits)) +
           static_cast<std::uint32_t>(steps);
    too_large = bits > fields.largest;
  }
  if (too_large && saturate) bits = fields.largest;
  if (too_large && !saturate) {
    if (layout.kind == FloatKind::kFnuz) return fields.sign;
    bits = layout.kind == FloatKind::kIeee ? fields.infinity : fields.magnitude;
  }
  if (layout.kind == FloatKind::kFnuz && bits == 0) return 0;
  return sign | bits;
}

}  // namespace moru::model::detail
