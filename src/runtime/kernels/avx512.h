// SPDX-License-Identifier: Apache-2.0
// What the AVX-512 files of several families share: registers to and from memory, and how 64 sums become 64 levels.
#pragma once

#include "runtime/kernels/common.h"
#include "runtime/kernels/intrinsics_avx512.h"

namespace moru::kernels {
namespace {

constexpr int kLanes = 16;
constexpr int kRegister = 64;

[[maybe_unused]] inline __m512i load(const void* at) { return _mm512_loadu_si512(at); }

[[maybe_unused]] inline __m512i broadcast32(const void* at) {
  int quad = 0;
  __builtin_memcpy(&quad, at, sizeof quad);
  return _mm512_set1_epi32(quad);
}

[[maybe_unused]] inline __m512i broadcast64(const void* at) {
  long long bytes = 0;
  __builtin_memcpy(&bytes, at, sizeof bytes);
  return _mm512_set1_epi64(bytes);
}

/// sums += four products of `levels` and `weights` in each lane. Not the intrinsic: with that, GCC 12 moves each sum to another register
/// and back, and stores it.
[[maybe_unused, gnu::always_inline]] inline void add_products(__m512i& sums, __m512i levels, __m512i weights) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(levels), "v"(weights));
}

[[maybe_unused]] inline __mmask64 first_bytes(int count) { return count >= kRegister ? ~0ULL : (1ULL << count) - 1; }

/// Dword i of 16-byte lane j to dword j of lane i.
[[maybe_unused]] inline __m512i transpose_dwords(__m512i x) {
  return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), x);
}

/// Word i of 16-byte lane j to word j of the four that are i's.
[[maybe_unused]] inline __m512i transpose_words(__m512i x) {
  const __m512i from = _mm512_setr_epi32(0x080000, 0x180010, 0x090001, 0x190011, 0x0A0002, 0x1A0012, 0x0B0003, 0x1B0013, 0x0C0004, 0x1C0014,
                                         0x0D0005, 0x1D0015, 0x0E0006, 0x1E0016, 0x0F0007, 0x1F0017);
  return _mm512_permutexvar_epi16(from, x);
}

/// Part kAt of kParts of x, up to 64 / kParts bytes of it.
template <int kParts, int kAt>
[[gnu::always_inline]] inline void store_part(std::uint8_t* to, __mmask64 mask, __m512i x) {
  if constexpr (kParts == 1) {
    _mm512_mask_storeu_epi8(to, mask, x);
  } else if constexpr (kParts == 2) {
    _mm256_mask_storeu_epi8(to, static_cast<__mmask32>(mask), _mm512_extracti64x4_epi64(x, kAt));
  } else {
    _mm_mask_storeu_epi8(to, static_cast<__mmask16>(mask), _mm512_extracti32x4_epi32(x, kAt));
  }
}

/// Requantize in two parts, so that the saturation of packing does most of the clamping.
struct Levels {
  explicit Levels(const Requantize& to)
      : zero(_mm512_set1_epi16(static_cast<short>(to.zero))),
        lowest(_mm512_set1_epi8(static_cast<char>(static_cast<int>(to.low) + to.zero))),
        highest(_mm512_set1_epi8(static_cast<char>(static_cast<int>(to.high) + to.zero))) {}

  static __m512i steps(__m512i sums, __m512 factor) { return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(sums), factor)); }
  /// In each 16-byte lane: four levels of a, four of b, four of c, four of d.
  __m512i pack(__m512i a, __m512i b, __m512i c, __m512i d) const {
    const __m512i ab = _mm512_adds_epi16(_mm512_packs_epi32(a, b), zero);
    const __m512i cd = _mm512_adds_epi16(_mm512_packs_epi32(c, d), zero);
    return _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(ab, cd), lowest), highest);
  }

  __m512i zero;
  __m512i lowest;
  __m512i highest;
};

}  // namespace
}  // namespace moru::kernels
