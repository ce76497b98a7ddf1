// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/intrinsics_avx512.h"
#include "runtime/kernels/peak/body.h"
#include "runtime/kernels/peak/floats_512.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

[[gnu::always_inline]] inline void add_products(__m512i& sums, __m512i a) { asm volatile("vpdpbusd %1, %1, %0" : "+v"(sums) : "v"(a)); }

std::int64_t multiply_levels(std::int64_t rounds) {
  __m512i sums[kChains];
  unroll<kChains>(MORU_BODY(auto i) { sums[i] = _mm512_setzero_si512(); });
  const __m512i a = _mm512_setzero_si512();
  for (std::int64_t round = 0; round < rounds; ++round) {
    unroll<kChains>(MORU_BODY(auto i) { add_products(sums[i], a); });
  }
  return rounds * kChains * kRegister;
}

}  // namespace

extern const PeakKernel kPeak_avx512;
const PeakKernel kPeak_avx512{Isa::kAvx512,    "vfmadd231ps",         "vpdpbusd", add_in_a_row, multiply_floats,
                              multiply_levels, read_blocks<kRegister>};

}  // namespace moru::kernels
