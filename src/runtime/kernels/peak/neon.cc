// SPDX-License-Identifier: Apache-2.0
#include <arm_neon.h>

namespace moru::kernels {
namespace {

/// Four words by four, as gemm_u8 without dot products multiplies.
[[gnu::always_inline]] inline void add_products(int32x4_t& sums, int32x4_t a) {
  asm volatile("smlal %0.4s, %1.4h, %1.4h" : "+w"(sums) : "w"(a));
}

}  // namespace
}  // namespace moru::kernels

#include "runtime/kernels/peak/body_neon.h"

namespace moru::kernels {

extern const PeakKernel kPeak_neon;
const PeakKernel kPeak_neon{
    Isa::kNeon, "fmla", "smlal", add_in_a_row, multiply<float32x4_t, 4>, multiply<int32x4_t, 4>, read_blocks<kRegister>};

}  // namespace moru::kernels
