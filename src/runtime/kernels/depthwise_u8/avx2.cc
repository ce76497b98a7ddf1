// SPDX-License-Identifier: Apache-2.0
// The products of bytes that AVX2 has saturate, so two taps together are made words.
#include "runtime/kernels/depthwise_u8/depthwise_u8.h"
#include "runtime/kernels/depthwise_u8/registers_256.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

using Weight = std::int16_t;
constexpr int kTogether = 2;

[[gnu::always_inline]] inline Split interleave(const Register* x) {
  const Register none = _mm256_setzero_si256();
  const Register low = _mm256_unpacklo_epi8(x[0], x[1]);
  const Register high = _mm256_unpackhi_epi8(x[0], x[1]);
  return {{_mm256_unpacklo_epi8(low, none), _mm256_unpackhi_epi8(low, none), _mm256_unpacklo_epi8(high, none),
           _mm256_unpackhi_epi8(high, none)}};
}

[[gnu::always_inline]] inline void add_products(Register& sums, Register levels, Register weights) {
  sums = _mm256_add_epi32(sums, _mm256_madd_epi16(levels, weights));
}

[[gnu::always_inline]] inline void add_products(Split& sums, const Split& levels, const std::byte* weights) {
  unroll<4>(MORU_BODY(auto i) { add_products(sums.at[i], levels.at[i], load(weights + i * kRegister)); });
}

/// Ones as the first `count` weights of each lane, else zeros.
Register first_ones(int count) { return _mm256_set1_epi32(count < kTogether ? 1 : 0x00010001); }

}  // namespace
}  // namespace moru::kernels

#include "runtime/kernels/depthwise_u8/body.h"

namespace moru::kernels {

extern const DepthwiseU8Kernel kDepthwiseU8_avx2;
const DepthwiseU8Kernel kDepthwiseU8_avx2{Isa::kAvx2, packed_bytes, pack, run};

}  // namespace moru::kernels
