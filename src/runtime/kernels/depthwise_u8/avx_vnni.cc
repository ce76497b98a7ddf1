// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/depthwise_u8/depthwise_u8.h"
#include "runtime/kernels/depthwise_u8/registers_256.h"
#include "runtime/kernels/unroll.h"
#include "runtime/kernels/vnni_256.h"

namespace moru::kernels {
namespace {

using Weight = std::int8_t;
constexpr int kTogether = 4;

[[gnu::always_inline]] inline Split interleave(const Register* x) {
  const Register ab_low = _mm256_unpacklo_epi8(x[0], x[1]);
  const Register ab_high = _mm256_unpackhi_epi8(x[0], x[1]);
  const Register cd_low = _mm256_unpacklo_epi8(x[2], x[3]);
  const Register cd_high = _mm256_unpackhi_epi8(x[2], x[3]);
  return {{_mm256_unpacklo_epi16(ab_low, cd_low), _mm256_unpackhi_epi16(ab_low, cd_low), _mm256_unpacklo_epi16(ab_high, cd_high),
           _mm256_unpackhi_epi16(ab_high, cd_high)}};
}

[[gnu::always_inline]] inline void add_products(Split& sums, const Split& levels, const std::byte* weights) {
  unroll<4>(MORU_BODY(auto i) { add_products(sums.at[i], levels.at[i], load(weights + i * kRegister)); });
}

/// Ones as the first `count` weights of each lane, else zeros.
Register first_ones(int count) { return _mm256_set1_epi32(static_cast<int>(0x01010101U >> (8 * (kTogether - count)))); }

}  // namespace
}  // namespace moru::kernels

#include "runtime/kernels/depthwise_u8/body.h"

namespace moru::kernels {

extern const DepthwiseU8Kernel kDepthwiseU8_avx_vnni;
const DepthwiseU8Kernel kDepthwiseU8_avx_vnni{Isa::kAvxVnni, packed_bytes, pack, run};

}  // namespace moru::kernels
