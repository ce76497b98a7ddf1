// SPDX-License-Identifier: Apache-2.0
// A product takes four taps. It wants levels signed, as weights are, so they are made 128 less, which sums have given back at the start.
#include "runtime/kernels/depthwise_u8/registers_neon.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

using Weight = std::int8_t;
constexpr int kTogether = 4;

[[gnu::always_inline]] inline uint8x16_t flip(Register x) { return veorq_u8(vreinterpretq_u8_s32(x), vdupq_n_u8(128)); }

[[gnu::always_inline]] inline Register zip_low(uint8x16_t ab, uint8x16_t cd) {
  return vreinterpretq_s32_u16(vzip1q_u16(vreinterpretq_u16_u8(ab), vreinterpretq_u16_u8(cd)));
}
[[gnu::always_inline]] inline Register zip_high(uint8x16_t ab, uint8x16_t cd) {
  return vreinterpretq_s32_u16(vzip2q_u16(vreinterpretq_u16_u8(ab), vreinterpretq_u16_u8(cd)));
}

[[gnu::always_inline]] inline Split interleave(const Register* x) {
  const uint8x16_t taps[] = {flip(x[0]), flip(x[1]), flip(x[2]), flip(x[3])};
  const uint8x16_t ab_low = vzip1q_u8(taps[0], taps[1]);
  const uint8x16_t ab_high = vzip2q_u8(taps[0], taps[1]);
  const uint8x16_t cd_low = vzip1q_u8(taps[2], taps[3]);
  const uint8x16_t cd_high = vzip2q_u8(taps[2], taps[3]);
  return {{zip_low(ab_low, cd_low), zip_high(ab_low, cd_low), zip_low(ab_high, cd_high), zip_high(ab_high, cd_high)}};
}

[[gnu::always_inline]] inline void add_products(Split& sums, const Split& levels, const std::byte* weights) {
  unroll<4>(MORU_BODY(auto i) {
    sums.at[i] = vdotq_s32(sums.at[i], vreinterpretq_s8_s32(levels.at[i]), vreinterpretq_s8_s32(load(weights + i * kRegister)));
  });
}

/// Of a group of taps: 128 is too large for a signed byte, but not its half.
void give_back(Split& sums, const std::byte* weights) {
  for (int i = 0; i < 4; ++i) {
    const int8x16_t w = vreinterpretq_s8_s32(load(weights + i * kRegister));
    sums.at[i] = vdotq_s32(vdotq_s32(sums.at[i], w, vdupq_n_s8(64)), w, vdupq_n_s8(64));
  }
}

/// Sums of the levels themselves: ones have no sign.
[[gnu::always_inline]] inline void add_products(Register& sums, Register levels, Register ones) {
  sums = vreinterpretq_s32_u32(vdotq_u32(vreinterpretq_u32_s32(sums), flip(levels), vreinterpretq_u8_s32(ones)));
}

/// Ones as the first `count` weights of each lane, else zeros.
Register first_ones(int count) { return vdupq_n_s32(static_cast<int>(0x01010101U >> (8 * (kTogether - count)))); }

}  // namespace
}  // namespace moru::kernels

#include "runtime/kernels/depthwise_u8/body.h"

namespace moru::kernels {

extern const DepthwiseU8Kernel kDepthwiseU8_neon_dot;
const DepthwiseU8Kernel kDepthwiseU8_neon_dot{Isa::kNeonDot, packed_bytes, pack, run};

}  // namespace moru::kernels
