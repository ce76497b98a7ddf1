// SPDX-License-Identifier: Apache-2.0
// What the calls of all families have in common. Included by files that are compiled for one ISA: declarations and constants only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/kernels/isa.h"

namespace moru::kernels {

/// Bytes past the last element of what a kernel reads that must be readable; what stands there does not matter.
inline constexpr std::size_t kSlack = 64;
/// Arrays of one entry a channel (bias, factor, w_zero) have a multiple of so many entries.
inline constexpr int kPadding = 64;
constexpr int padded(int channels) { return (channels + kPadding - 1) / kPadding * kPadding; }

/// How sums become levels: y = round(clamp(float32(sum) * factor[o], low, high)) + zero, halves to even. low and high are whole
/// numbers, -zero <= low <= high <= 255 - zero. Only the scalar kernels take factors with which a sum may leave int32: the caller says
/// that |float32(sum) * factor| stays below 2^31, which saves a clamp.
struct Requantize {
  const float* factor = nullptr;  ///< padded(channels) entries
  float low = 0;
  float high = 0;
  std::int32_t zero = 0;
};

}  // namespace moru::kernels
