// SPDX-License-Identifier: Apache-2.0
// Arithmetic that every ISA's file has a copy of its own of: internal linkage, so that the linker takes none for another's.
#pragma once

#include <cstdint>

#include "runtime/kernels/common.h"

namespace moru::kernels {
namespace {

/// To the nearest whole number, halves to even, for |x| < 2^22: adding 1.5 * 2^23 leaves no bits behind the point.
[[maybe_unused]] inline float round_even(float x) {
  constexpr float kMagic = 12582912.0F;
  return (x + kMagic) - kMagic;
}

/// What is not a number stays so.
[[maybe_unused]] inline float clamp(float x, float low, float high) {
  const float above = x < low ? low : x;
  return above > high ? high : above;
}

[[maybe_unused]] inline std::uint8_t to_level(float steps, float low, float high, std::int32_t zero) {
  return static_cast<std::uint8_t>(static_cast<std::int32_t>(round_even(clamp(steps, low, high))) + zero);
}

}  // namespace
}  // namespace moru::kernels
