// SPDX-License-Identifier: Apache-2.0
// What the AVX2 files of several families share: registers to and from memory, and how 32 sums become 32 levels.
#pragma once

#include <immintrin.h>

#include "runtime/kernels/common.h"

namespace moru::kernels {
namespace {

constexpr int kLanes = 8;
constexpr int kRegister = 32;

[[maybe_unused]] inline __m256i load(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
[[maybe_unused]] inline __m128i load16(const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); }

/// `count` of the 16 bytes of x.
[[maybe_unused]] inline void store_first(std::uint8_t* to, __m128i x, int count) {
  if (count >= 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), x);
    return;
  }
  if (count == 8) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), x);
    return;
  }
  alignas(16) std::uint8_t all[16];
  _mm_store_si128(reinterpret_cast<__m128i*>(all), x);
  const std::uint8_t* from = all;
  for (int part = 8; part > 0; part /= 2) {
    if ((count & part) == 0) continue;
    __builtin_memcpy(to, from, static_cast<std::size_t>(part));
    to += part;
    from += part;
  }
}

/// Requantize in two parts; as in avx512.h.
struct Levels {
  explicit Levels(const Requantize& to)
      : zero(_mm256_set1_epi16(static_cast<short>(to.zero))),
        lowest(_mm256_set1_epi8(static_cast<char>(static_cast<int>(to.low) + to.zero))),
        highest(_mm256_set1_epi8(static_cast<char>(static_cast<int>(to.high) + to.zero))) {}

  static __m256i steps(__m256i sums, __m256 factor) { return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(sums), factor)); }
  /// In each 16-byte lane: four levels of a, four of b, four of c, four of d.
  __m256i pack(__m256i a, __m256i b, __m256i c, __m256i d) const {
    const __m256i ab = _mm256_adds_epi16(_mm256_packs_epi32(a, b), zero);
    const __m256i cd = _mm256_adds_epi16(_mm256_packs_epi32(c, d), zero);
    return _mm256_min_epu8(_mm256_max_epu8(_mm256_packus_epi16(ab, cd), lowest), highest);
  }
  /// All of a, then of b, of c, of d.
  __m256i pack_in_order(__m256i a, __m256i b, __m256i c, __m256i d) const {
    return _mm256_permutevar8x32_epi32(pack(a, b, c, d), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  }

  __m256i zero;
  __m256i lowest;
  __m256i highest;
};

}  // namespace
}  // namespace moru::kernels
