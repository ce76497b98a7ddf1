// SPDX-License-Identifier: Apache-2.0
// What the NEON files of several families share: how 16 sums become 16 levels, and bytes to memory.
#pragma once

#include <arm_neon.h>

#include "runtime/kernels/common.h"

namespace moru::kernels {
namespace {

/// The first `count` bytes of x, up to all 16.
[[maybe_unused]] inline void store_first(std::uint8_t* to, uint8x16_t x, int count) {
  if (count >= 16) return vst1q_u8(to, x);
  uint8x8_t left = vget_low_u8(x);
  if ((count & 8) != 0) {
    vst1_u8(to, left);
    to += 8;
    left = vget_high_u8(x);
  }
  std::uint64_t bytes = vget_lane_u64(vreinterpret_u64_u8(left), 0);
  for (int part = 4; part > 0; part /= 2) {
    if ((count & part) == 0) continue;
    __builtin_memcpy(to, &bytes, static_cast<std::size_t>(part));
    to += part;
    bytes >>= 8 * part;
  }
}

/// Requantize in two parts. Conversion and packing saturate, which keeps order, and the bounds are whole numbers: so they are as right on
/// the bytes as before the rounding.
struct ToLevels {
  explicit ToLevels(const Requantize& to)
      : zero(vdupq_n_s16(static_cast<std::int16_t>(to.zero))),
        lowest(vdupq_n_u8(static_cast<std::uint8_t>(static_cast<int>(to.low) + to.zero))),
        highest(vdupq_n_u8(static_cast<std::uint8_t>(static_cast<int>(to.high) + to.zero))) {}

  int32x4_t steps(int32x4_t sums, float32x4_t factor) const { return vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(sums), factor)); }
  /// The levels of a, then of b, of c, of d.
  uint8x16_t pack(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d) const {
    const int16x8_t ab = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(a), b), zero);
    const int16x8_t cd = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(c), d), zero);
    return vminq_u8(vmaxq_u8(vqmovun_high_s16(vqmovun_s16(ab), cd), lowest), highest);
  }

  int16x8_t zero;
  uint8x16_t lowest;
  uint8x16_t highest;
};

}  // namespace
}  // namespace moru::kernels
