// SPDX-License-Identifier: Apache-2.0
// How floats become levels, as loops plain enough for the compiler to make vectors of them. Each ISA's file includes this one time.
#pragma once

#include "runtime/kernels/hybrid/hybrid.h"

namespace moru::kernels {
namespace {

/// Magnitudes are compared as integers, which order floats of one sign as they are, and need no rule for numbers that are none.
float largest(const float* x, std::size_t count) {
  std::int32_t most = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t bits = __builtin_bit_cast(std::int32_t, x[i]) & 0x7FFFFFFF;
    most = bits > most ? bits : most;
  }
  return __builtin_bit_cast(float, most);
}

/// As T, `kZero` higher.
template <class T, int kZero>
void quantize(const float* x, std::byte* levels, std::size_t count, float inverse) {
  constexpr float kBeforeHalf = 0x1.fffffep-2F;
  auto* to = reinterpret_cast<T*>(levels);
  for (std::size_t i = 0; i < count; ++i) {
    const float steps = __builtin_fabsf(x[i]) * inverse + kBeforeHalf;
    const auto whole = static_cast<std::int32_t>(steps < 127.0F ? steps : 127.0F);
    to[i] = static_cast<T>((x[i] < 0.0F ? -whole : whole) + kZero);
  }
}

}  // namespace
}  // namespace moru::kernels
