// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/simd_avx512.h"
// The body is over Simd.
#include "runtime/kernels/winograd_f32/body.h"

namespace moru::kernels {

extern const WinogradF32Kernel kWinogradF32_avx512;
const WinogradF32Kernel kWinogradF32_avx512{Isa::kAvx512, to_tiles, from_tiles};

}  // namespace moru::kernels
