// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "runtime/kernels/simd_avx512.h"

namespace moru::kernels {
namespace {

/// 16 integers as floats; of a byte's two, the one of the low or the high bits, looked up in a register that has all sixteen.
struct Integers {
  static __m512i wide(const std::int8_t* at) { return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))); }
  static Simd::Vector of_nibbles(__m512i low_bits) {
    return _mm512_permutexvar_ps(low_bits, _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1));
  }
  static Simd::Vector bytes(const std::int8_t* at) { return _mm512_cvtepi32_ps(wide(at)); }
  static Simd::Vector low_nibbles(const std::int8_t* at) { return of_nibbles(wide(at)); }
  static Simd::Vector high_nibbles(const std::int8_t* at) { return of_nibbles(_mm512_srli_epi32(wide(at), 4)); }
};

}  // namespace
}  // namespace moru::kernels

// The body is over Simd and Integers.
#include "runtime/kernels/gemm_mixed/body.h"

namespace moru::kernels {

extern const GemmMixedKernel kGemmMixed_avx512;
const GemmMixedKernel kGemmMixed_avx512{Isa::kAvx512, packed_bytes, pack, run};

}  // namespace moru::kernels
