// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/avx512.h"

#include "runtime/kernels/depthwise_u8/depthwise_u8.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

using Register = __m512i;
using Weight = std::int8_t;
constexpr int kTogether = 4;

struct Split {
  Register at[4];
};

[[gnu::always_inline]] inline Split interleave(const Register* x) {
  const Register ab_low = _mm512_unpacklo_epi8(x[0], x[1]);
  const Register ab_high = _mm512_unpackhi_epi8(x[0], x[1]);
  const Register cd_low = _mm512_unpacklo_epi8(x[2], x[3]);
  const Register cd_high = _mm512_unpackhi_epi8(x[2], x[3]);
  return {{_mm512_unpacklo_epi16(ab_low, cd_low), _mm512_unpackhi_epi16(ab_low, cd_low), _mm512_unpacklo_epi16(ab_high, cd_high),
           _mm512_unpackhi_epi16(ab_high, cd_high)}};
}

[[gnu::always_inline]] inline void add_products(Split& sums, const Split& levels, const std::byte* weights) {
  unroll<4>(MORU_BODY(auto i) { add_products(sums.at[i], levels.at[i], load(weights + i * kRegister)); });
}

/// Ones as the first `count` weights of each lane, else zeros.
Register first_ones(int count) { return _mm512_set1_epi32(static_cast<int>(0x01010101U >> (8 * (kTogether - count)))); }

[[gnu::always_inline]] inline void subtract_product(Register& sums, Register a, Register b) {
  sums = _mm512_sub_epi32(sums, _mm512_mullo_epi32(a, b));
}

/// `width` entries of an array with one a channel, for each of the 64 levels.
Split split_entries(const void* entries, int width) {
  const auto* at = static_cast<const std::byte*>(entries);
  Register x[4] = {load(at), load(at), load(at), load(at)};
  if (width == 8) {
    for (auto& part : x) part = _mm512_shuffle_i64x2(part, part, 0x44);
  } else if (width == 32) {
    x[1] = x[3] = load(at + kRegister);
  } else if (width == 64) {
    for (int i = 1; i < 4; ++i) x[i] = load(at + i * kRegister);
  }
  const Register even01 = _mm512_shuffle_i32x4(x[0], x[1], 0x88);
  const Register even23 = _mm512_shuffle_i32x4(x[2], x[3], 0x88);
  const Register odd01 = _mm512_shuffle_i32x4(x[0], x[1], 0xDD);
  const Register odd23 = _mm512_shuffle_i32x4(x[2], x[3], 0xDD);
  return {{_mm512_shuffle_i32x4(even01, even23, 0x88), _mm512_shuffle_i32x4(odd01, odd23, 0x88), _mm512_shuffle_i32x4(even01, even23, 0xDD),
           _mm512_shuffle_i32x4(odd01, odd23, 0xDD)}};
}

[[gnu::always_inline]] inline __m512 as_floats(Register x) { return _mm512_castsi512_ps(x); }

inline void store(std::uint8_t* to, Register x) { _mm512_storeu_si512(to, x); }

inline void store_levels(std::uint8_t* to, Register x, int count) { _mm512_mask_storeu_epi8(to, first_bytes(count), x); }

/// Columns of kWidth bytes.
template <int kWidth>
[[gnu::always_inline]] inline Register load_pieces(const std::uint8_t* x, const std::ptrdiff_t* columns) {
  if constexpr (kWidth == 32) {
    const auto half = MORU_BODY(int i) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + columns[i])); };
    return _mm512_inserti64x4(_mm512_castsi256_si512(half(0)), half(1), 1);
  } else {
    const auto quarter = MORU_BODY(int i) {
      if constexpr (kWidth == 16) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + columns[i]));
      return _mm_unpacklo_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(x + columns[2 * i])),
                                _mm_loadl_epi64(reinterpret_cast<const __m128i*>(x + columns[2 * i + 1])));
    };
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(quarter(0)), quarter(1), 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(quarter(2)), quarter(3), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  }
}

/// Of columns of kWidth bytes every second one.
template <int kWidth>
[[gnu::always_inline]] inline Register even_columns(Register low, Register high) {
  constexpr long long kQuads = kWidth / 8;  // of a column
  const auto from = [](long long i) { return i / kQuads * 2 * kQuads + i % kQuads; };
  return _mm512_permutex2var_epi64(low, _mm512_setr_epi64(from(0), from(1), from(2), from(3), from(4), from(5), from(6), from(7)), high);
}

/// The lanes of `now` from kBy on, then those of `then`.
template <int kBy>
[[gnu::always_inline]] inline Register shift_lanes(Register now, Register then) {
  if constexpr (kBy == 0) return now;
  if constexpr (kBy == kLanes) return then;
  return _mm512_alignr_epi32(then, now, kBy % kLanes);
}

}  // namespace
}  // namespace moru::kernels

#include "runtime/kernels/depthwise_u8/body.h"

namespace moru::kernels {

extern const DepthwiseU8Kernel kDepthwiseU8_avx512;
const DepthwiseU8Kernel kDepthwiseU8_avx512{Isa::kAvx512, packed_bytes, pack, run};

}  // namespace moru::kernels
