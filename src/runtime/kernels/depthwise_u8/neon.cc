// SPDX-License-Identifier: Apache-2.0
// Two taps together are made words: of four levels those of the one tap, then those of the other, each a half of a register that an
// instruction multiplies and adds.
#include "runtime/kernels/depthwise_u8/registers_neon.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

using Weight = std::int16_t;
constexpr int kTogether = 2;

[[gnu::always_inline]] inline Register words(uint16x8_t x) { return vreinterpretq_s32_u16(x); }

[[gnu::always_inline]] inline Split interleave(const Register* x) {
  const uint8x16_t low = vreinterpretq_u8_s32(vzip1q_s32(x[0], x[1]));
  const uint8x16_t high = vreinterpretq_u8_s32(vzip2q_s32(x[0], x[1]));
  return {{words(vmovl_u8(vget_low_u8(low))), words(vmovl_high_u8(low)), words(vmovl_u8(vget_low_u8(high))), words(vmovl_high_u8(high))}};
}

[[gnu::always_inline]] inline void add_products(Register& sums, Register levels, Register weights) {
  const int16x8_t a = vreinterpretq_s16_s32(levels);
  const int16x8_t b = vreinterpretq_s16_s32(weights);
  sums = vmlal_high_s16(vmlal_s16(sums, vget_low_s16(a), vget_low_s16(b)), a, b);
}

[[gnu::always_inline]] inline void add_products(Split& sums, const Split& levels, const std::byte* weights) {
  unroll<4>(MORU_BODY(auto i) { add_products(sums.at[i], levels.at[i], load(weights + i * kRegister)); });
}

/// Ones as the weights of the first `count` taps, else zeros.
Register first_ones(int count) {
  const int16x4_t ones = vdup_n_s16(1);
  return vreinterpretq_s32_s16(vcombine_s16(ones, count < kTogether ? vdup_n_s16(0) : ones));
}

}  // namespace
}  // namespace moru::kernels

#include "runtime/kernels/depthwise_u8/body.h"

namespace moru::kernels {
namespace {

/// pack() has the taps of each lane side by side.
void pack_halves(const std::int8_t* w, int kernel_h, int kernel_w, int channels, std::byte* packed) {
  pack(w, kernel_h, kernel_w, channels, packed);
  for (std::size_t at = 0; at < packed_bytes(kernel_h, kernel_w, channels); at += kRegister) {
    auto* weights = reinterpret_cast<Weight*>(packed + at);
    const int16x4x2_t taps = vld2_s16(weights);
    vst1q_s16(weights, vcombine_s16(taps.val[0], taps.val[1]));
  }
}

}  // namespace

extern const DepthwiseU8Kernel kDepthwiseU8_neon;
const DepthwiseU8Kernel kDepthwiseU8_neon{Isa::kNeon, packed_bytes, pack_halves, run};

}  // namespace moru::kernels
