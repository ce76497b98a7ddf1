// SPDX-License-Identifier: Apache-2.0
// Levels 128 higher, as uint8: so the machine wants them beside int8.
#include "runtime/kernels/hybrid/hybrid.h"
#include "runtime/kernels/simd_avx512.h"

namespace moru::kernels {
namespace {

struct Integers {
  using Lanes = __m512i;
  using Level = std::uint8_t;
  using Weight = std::int8_t;
  static constexpr int kZero = 128;
  static constexpr int kPanelBlocks = 3;

  static Lanes load(const void* at) { return _mm512_loadu_si512(at); }
  static Lanes broadcast(const std::byte* at) {
    int quad = 0;
    __builtin_memcpy(&quad, at, sizeof quad);
    return _mm512_set1_epi32(quad);
  }
  /// Not the intrinsic: with that, GCC 12 moves each sum to another register and back.
  [[gnu::always_inline]] static void add_products(Lanes& sums, Lanes levels, Lanes weights) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(levels), "v"(weights));
  }
  static Simd::Vector to_floats(Lanes sums) { return _mm512_cvtepi32_ps(sums); }
};

}  // namespace
}  // namespace moru::kernels

// The body is over Simd and Integers.
#include "runtime/kernels/hybrid/body.h"

namespace moru::kernels {

extern const HybridKernel kHybrid_avx512;
const HybridKernel kHybrid_avx512{Isa::kAvx512,
                                  sizeof(Integers::Level),
                                  Integers::kZero,
                                  packed_bytes,
                                  pack,
                                  run<run_panel<1, 16, 12, 8, 4, 2, 1>, run_panel<2, 12, 9, 6, 4, 2, 1>, run_panel<3, 8, 6, 4, 3, 2, 1>>,
                                  largest,
                                  quantize<Integers::Level, Integers::kZero>};

}  // namespace moru::kernels
