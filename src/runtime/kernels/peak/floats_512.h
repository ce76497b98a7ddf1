// SPDX-License-Identifier: Apache-2.0
// Floats in registers of 64 bytes, for the files of processors that have them.
#pragma once

#include "runtime/kernels/intrinsics_avx512.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

constexpr int kRegister = 64;
/// Sums that do not wait for each other: more than two units of 4 to 5 cycles need.
constexpr int kChains = 16;

// Assembly, or the compiler would do only once what is the same each time.
[[gnu::always_inline]] inline void add_products(__m512& sums, __m512 a) { asm volatile("vfmadd231ps %1, %1, %0" : "+v"(sums) : "v"(a)); }

std::int64_t multiply_floats(std::int64_t rounds) {
  __m512 sums[kChains];
  unroll<kChains>(MORU_BODY(auto i) { sums[i] = _mm512_setzero_ps(); });
  const __m512 a = _mm512_setzero_ps();
  for (std::int64_t round = 0; round < rounds; ++round) {
    unroll<kChains>(MORU_BODY(auto i) { add_products(sums[i], a); });
  }
  return rounds * kChains * (kRegister / 4);
}

}  // namespace
}  // namespace moru::kernels
