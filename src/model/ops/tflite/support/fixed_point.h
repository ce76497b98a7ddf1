// SPDX-License-Identifier: Apache-2.0
// TFLite's integer arithmetic: reals are multiplied by a 31-bit fraction and a power of two, rounded twice. To the bit as its
// reference kernels do it. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
// Inference" (2018), section 2.2; the rounding is that of ARM's SQRDMULH.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace moru::model::tflite_ops {

/// real = value * 2^(shift - 31), value in [2^30, 2^31).
struct Multiplier {
  std::int32_t value = 0;
  int shift = 0;
};

/// The nearest multiplier of a real; 0 for what is too small to matter.
inline Multiplier quantize_multiplier(double real) {
  if (real == 0.0) return {};
  Multiplier out;
  const double fraction = std::frexp(real, &out.shift);
  auto fixed = static_cast<std::int64_t>(std::round(fraction * static_cast<double>(std::int64_t{1} << 31U)));
  if (fixed == (std::int64_t{1} << 31U)) {
    fixed /= 2;
    ++out.shift;
  }
  if (out.shift < -31) return {};
  out.value = static_cast<std::int32_t>(fixed);
  return out;
}

/// a * b / 2^31, rounded to nearest, halves away from zero; the one product that does not fit saturates.
inline std::int32_t doubling_high_multiply(std::int32_t a, std::int32_t b) {
  if (a == b && a == std::numeric_limits<std::int32_t>::min()) return std::numeric_limits<std::int32_t>::max();
  const std::int64_t product = std::int64_t{a} * std::int64_t{b};
  const std::int64_t nudge = product >= 0 ? (std::int64_t{1} << 30U) : (1 - (std::int64_t{1} << 30U));
  return static_cast<std::int32_t>((product + nudge) / (std::int64_t{1} << 31U));
}

/// x / 2^exponent, rounded to nearest, halves away from zero. 0 <= exponent <= 31.
inline std::int32_t rounding_divide_by_power(std::int32_t x, int exponent) {
  const auto mask = static_cast<std::int32_t>((std::int64_t{1} << static_cast<unsigned>(exponent)) - 1);
  const std::int32_t remainder = x & mask;
  const std::int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

/// x * multiplier, rounded twice. What overflows in a left shift wraps around.
inline std::int32_t scale(std::int32_t x, const Multiplier& multiplier) {
  const int left = multiplier.shift > 0 ? multiplier.shift : 0;
  const int right = multiplier.shift > 0 ? 0 : -multiplier.shift;
  const auto shifted = static_cast<std::int32_t>(left > 31 ? 0U : static_cast<std::uint32_t>(x) << static_cast<unsigned>(left));
  return rounding_divide_by_power(doubling_high_multiply(shifted, multiplier.value), right);
}

/// The same, rounded once, halves up: FULLY_CONNECTED.
inline std::int32_t scale_once(std::int32_t x, const Multiplier& multiplier) {
  const int total = 31 - multiplier.shift;
  if (total <= 0 || total > 62) return 0;
  return static_cast<std::int32_t>((std::int64_t{x} * multiplier.value + (std::int64_t{1} << static_cast<unsigned>(total - 1))) >> total);
}

/// The same for wide sums (16-bit activations): the fraction is cut to 15 bits, and rounded once.
inline std::int32_t scale_wide(std::int64_t x, const Multiplier& multiplier) {
  const std::int64_t reduced = multiplier.value < 0x7FFF0000 ? (std::int64_t{multiplier.value} + (1 << 15)) >> 16 : 0x7FFF;
  const int total = 15 - multiplier.shift;
  if (total <= 0 || total > 62) return 0;
  // Sums that are larger than the 48 bits that layers of real size need wrap around.
  const auto product = static_cast<std::uint64_t>(x) * static_cast<std::uint64_t>(reduced);
  const auto rounded = static_cast<std::int64_t>(product + (std::uint64_t{1} << static_cast<unsigned>(total - 1)));
  return static_cast<std::int32_t>(rounded >> total);
}

}  // namespace moru::model::tflite_ops
