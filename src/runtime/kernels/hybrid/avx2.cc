// SPDX-License-Identifier: Apache-2.0
// Levels and weights as int16: AVX2's products of bytes saturate.
#include "runtime/kernels/hybrid/hybrid.h"
#include "runtime/kernels/simd_avx2.h"

namespace moru::kernels {
namespace {

struct Integers {
  using Lanes = __m256i;
  using Level = std::int16_t;
  using Weight = std::int16_t;
  static constexpr int kZero = 0;
  static constexpr int kPanelBlocks = 2;

  static Lanes load(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
  static Lanes broadcast(const std::byte* at) {
    int pair = 0;
    __builtin_memcpy(&pair, at, sizeof pair);
    return _mm256_set1_epi32(pair);
  }
  static void add_products(Lanes& sums, Lanes levels, Lanes weights) { sums = _mm256_add_epi32(sums, _mm256_madd_epi16(levels, weights)); }
  static Simd::Vector to_floats(Lanes sums) { return _mm256_cvtepi32_ps(sums); }
};

}  // namespace
}  // namespace moru::kernels

// The body is over Simd and Integers.
#include "runtime/kernels/hybrid/body.h"

namespace moru::kernels {

extern const HybridKernel kHybrid_avx2;
const HybridKernel kHybrid_avx2{Isa::kAvx2,
                                sizeof(Integers::Level),
                                Integers::kZero,
                                packed_bytes,
                                pack,
                                run<run_panel<1, 12, 8, 4, 2, 1>, run_panel<2, 6, 4, 3, 2, 1>>,
                                largest,
                                quantize<Integers::Level, Integers::kZero>};

}  // namespace moru::kernels
