// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "runtime/kernels/simd_avx2.h"

namespace moru::kernels {
namespace {

/// 8 integers as floats; of a byte's two, the one of the low or the high bits.
struct Integers {
  static __m256i wide(const std::int8_t* at) { return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at))); }
  static Simd::Vector bytes(const std::int8_t* at) { return _mm256_cvtepi32_ps(wide(at)); }
  static Simd::Vector low_nibbles(const std::int8_t* at) {
    return _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(wide(at), 28), 28));
  }
  static Simd::Vector high_nibbles(const std::int8_t* at) { return _mm256_cvtepi32_ps(_mm256_srai_epi32(wide(at), 4)); }
};

}  // namespace
}  // namespace moru::kernels

// The body is over Simd and Integers.
#include "runtime/kernels/gemm_mixed/body.h"

namespace moru::kernels {

extern const GemmMixedKernel kGemmMixed_avx2;
const GemmMixedKernel kGemmMixed_avx2{Isa::kAvx2, packed_bytes, pack, run};

}  // namespace moru::kernels
