// SPDX-License-Identifier: Apache-2.0
// What the files for registers of 32 levels share; see body.h.
#pragma once

#include "runtime/kernels/avx2.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

using Register = __m256i;

struct Split {
  Register at[4];
};

[[gnu::always_inline]] inline void subtract_product(Register& sums, Register a, Register b) {
  sums = _mm256_sub_epi32(sums, _mm256_mullo_epi32(a, b));
}

/// `width` entries of an array with one a channel, for each of the 32 levels.
Split split_entries(const void* entries, int width) {
  const auto* at = static_cast<const std::byte*>(entries);
  Register x[4];
  for (int i = 0; i < 4; ++i) x[i] = load(at + i % (width / kLanes) * kRegister);
  return {{_mm256_permute2x128_si256(x[0], x[2], 0x20), _mm256_permute2x128_si256(x[0], x[2], 0x31),
           _mm256_permute2x128_si256(x[1], x[3], 0x20), _mm256_permute2x128_si256(x[1], x[3], 0x31)}};
}

[[gnu::always_inline]] inline __m256 as_floats(Register x) { return _mm256_castsi256_ps(x); }

inline void store(std::uint8_t* to, Register x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x); }

inline void store_levels(std::uint8_t* to, Register x, int count) {
  store_first(to, _mm256_castsi256_si128(x), count);
  if (count > 16) store_first(to + 16, _mm256_extracti128_si256(x, 1), count - 16);
}

/// Columns of kWidth bytes.
template <int kWidth>
[[gnu::always_inline]] inline Register load_pieces(const std::uint8_t* x, const std::ptrdiff_t* columns) {
  const auto half = MORU_BODY(int i) {
    if constexpr (kWidth == 16) return load16(x + columns[i]);
    return _mm_unpacklo_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(x + columns[2 * i])),
                              _mm_loadl_epi64(reinterpret_cast<const __m128i*>(x + columns[2 * i + 1])));
  };
  return _mm256_inserti128_si256(_mm256_castsi128_si256(half(0)), half(1), 1);
}

/// Of columns of kWidth bytes every second one.
template <int kWidth>
[[gnu::always_inline]] inline Register even_columns(Register low, Register high) {
  if constexpr (kWidth == 16) return _mm256_permute2x128_si256(low, high, 0x20);
  return _mm256_permute4x64_epi64(_mm256_unpacklo_epi64(low, high), 0xD8);
}

/// The lanes of `now` from kBy on, then those of `then`.
template <int kBy>
[[gnu::always_inline]] inline Register shift_lanes(Register now, Register then) {
  if constexpr (kBy == 0) return now;
  if constexpr (kBy == kLanes) return then;
  return _mm256_permute2x128_si256(now, then, 0x21);
}

}  // namespace
}  // namespace moru::kernels
