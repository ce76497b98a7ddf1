// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "runtime/kernels/peak/body.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

constexpr int kRegister = 32;
/// Sums that do not wait for each other: 16 registers less the operands, more than two units of 4 to 5 cycles need.
constexpr int kChains = 12;

// Assembly, or the compiler would do only once what is the same each time.
[[gnu::always_inline]] inline void add_products(__m256& sums, __m256 a) { asm volatile("vfmadd231ps %1, %1, %0" : "+x"(sums) : "x"(a)); }
[[gnu::always_inline]] inline void add_products(__m256i& sums, __m256i a) {
  asm volatile("%{vex%} vpdpbusd %1, %1, %0" : "+x"(sums) : "x"(a));
}

std::int64_t multiply_floats(std::int64_t rounds) {
  __m256 sums[kChains];
  unroll<kChains>(MORU_BODY(auto i) { sums[i] = _mm256_setzero_ps(); });
  const __m256 a = _mm256_setzero_ps();
  for (std::int64_t round = 0; round < rounds; ++round) {
    unroll<kChains>(MORU_BODY(auto i) { add_products(sums[i], a); });
  }
  return rounds * kChains * (kRegister / 4);
}

std::int64_t multiply_levels(std::int64_t rounds) {
  __m256i sums[kChains];
  unroll<kChains>(MORU_BODY(auto i) { sums[i] = _mm256_setzero_si256(); });
  const __m256i a = _mm256_setzero_si256();
  for (std::int64_t round = 0; round < rounds; ++round) {
    unroll<kChains>(MORU_BODY(auto i) { add_products(sums[i], a); });
  }
  return rounds * kChains * kRegister;
}

}  // namespace

extern const PeakKernel kPeak_avx_vnni;
const PeakKernel kPeak_avx_vnni{Isa::kAvxVnni,   "vfmadd231ps",   "vpdpbusd of 32 bytes", add_in_a_row,
                                multiply_floats, multiply_levels, read_blocks<kRegister>};

}  // namespace moru::kernels
