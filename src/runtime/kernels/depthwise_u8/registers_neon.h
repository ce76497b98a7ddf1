// SPDX-License-Identifier: Apache-2.0
// What of body.h's needs neon.cc and neon_dot.cc have in common.
#pragma once

#include "runtime/kernels/depthwise_u8/depthwise_u8.h"
#include "runtime/kernels/neon.h"

namespace moru::kernels {
namespace {

using Register = int32x4_t;
constexpr int kRegister = 16;
constexpr int kLanes = 4;

struct Split {
  Register at[4];
};

struct Levels {
  explicit Levels(const Requantize& to) : levels(to) {}
  Register steps(Register sums, float32x4_t factor) const { return levels.steps(sums, factor); }
  Register pack(Register a, Register b, Register c, Register d) const { return vreinterpretq_s32_u8(levels.pack(a, b, c, d)); }

  ToLevels levels;
};

inline Register load(const void* at) { return vreinterpretq_s32_u8(vld1q_u8(static_cast<const std::uint8_t*>(at))); }

[[gnu::always_inline]] inline void subtract_product(Register& sums, Register a, Register b) { sums = vmlsq_s32(sums, a, b); }

/// `width` entries of an array with one a channel, for each of the 16 levels.
Split split_entries(const void* entries, int width) {
  const auto* at = static_cast<const std::byte*>(entries);
  Split all;
  for (int i = 0; i < 4; ++i) all.at[i] = load(at + i % (width / kLanes) * kRegister);
  return all;
}

[[gnu::always_inline]] inline float32x4_t as_floats(Register x) { return vreinterpretq_f32_s32(x); }

inline void store(std::uint8_t* to, Register x) { vst1q_u8(to, vreinterpretq_u8_s32(x)); }

inline void store_levels(std::uint8_t* to, Register x, int count) { store_first(to, vreinterpretq_u8_s32(x), count); }

/// Columns of 8 bytes: other widths are whole registers.
template <int kWidth>
[[gnu::always_inline]] inline Register load_pieces(const std::uint8_t* x, const std::ptrdiff_t* columns) {
  return vreinterpretq_s32_u8(vcombine_u8(vld1_u8(x + columns[0]), vld1_u8(x + columns[1])));
}

/// Of columns of 8 bytes every second one.
template <int kWidth>
[[gnu::always_inline]] inline Register even_columns(Register low, Register high) {
  return vcombine_s32(vget_low_s32(low), vget_low_s32(high));
}

/// The lanes of `now` from kBy on, then those of `then`.
template <int kBy>
[[gnu::always_inline]] inline Register shift_lanes(Register now, Register then) {
  if constexpr (kBy == kLanes) return then;
  return vextq_s32(now, then, kBy % kLanes);
}

}  // namespace
}  // namespace moru::kernels
