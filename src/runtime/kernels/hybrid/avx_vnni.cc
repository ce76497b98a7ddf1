// SPDX-License-Identifier: Apache-2.0
// Levels 128 higher, as uint8: so the machine wants them beside int8.
#include "runtime/kernels/hybrid/hybrid.h"
#include "runtime/kernels/simd_avx2.h"
#include "runtime/kernels/vnni_256.h"

namespace moru::kernels {
namespace {

struct Integers {
  using Lanes = __m256i;
  using Level = std::uint8_t;
  using Weight = std::int8_t;
  static constexpr int kZero = 128;
  static constexpr int kPanelBlocks = 2;

  static Lanes load(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
  static Lanes broadcast(const std::byte* at) {
    int quad = 0;
    __builtin_memcpy(&quad, at, sizeof quad);
    return _mm256_set1_epi32(quad);
  }
  static void add_products(Lanes& sums, Lanes levels, Lanes weights) { kernels::add_products(sums, levels, weights); }
  static Simd::Vector to_floats(Lanes sums) { return _mm256_cvtepi32_ps(sums); }
};

}  // namespace
}  // namespace moru::kernels

// The body is over Simd and Integers.
#include "runtime/kernels/hybrid/body.h"

namespace moru::kernels {

extern const HybridKernel kHybrid_avx_vnni;
const HybridKernel kHybrid_avx_vnni{Isa::kAvxVnni,
                                    sizeof(Integers::Level),
                                    Integers::kZero,
                                    packed_bytes,
                                    pack,
                                    run<run_panel<1, 12, 8, 4, 2, 1>, run_panel<2, 6, 4, 3, 2, 1>>,
                                    largest,
                                    quantize<Integers::Level, Integers::kZero>};

}  // namespace moru::kernels
