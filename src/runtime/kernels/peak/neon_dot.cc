// SPDX-License-Identifier: Apache-2.0
#include <arm_neon.h>

namespace moru::kernels {
namespace {

/// Sixteen bytes by sixteen.
[[gnu::always_inline]] inline void add_products(int32x4_t& sums, int32x4_t a) {
  asm volatile("sdot %0.4s, %1.16b, %1.16b" : "+w"(sums) : "w"(a));
}

}  // namespace
}  // namespace moru::kernels

#include "runtime/kernels/peak/body_neon.h"

namespace moru::kernels {

extern const PeakKernel kPeak_neon_dot;
const PeakKernel kPeak_neon_dot{Isa::kNeonDot,         "fmla", "sdot", add_in_a_row, multiply<float32x4_t, 4>, multiply<int32x4_t, 16>,
                                read_blocks<kRegister>};

}  // namespace moru::kernels
