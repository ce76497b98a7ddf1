// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/simd_neon.h"
// The body is over Simd.
#include "runtime/kernels/gemm_f32/body.h"

namespace moru::kernels {

extern const GemmF32Kernel kGemmF32_neon;
const GemmF32Kernel kGemmF32_neon{
    Isa::kNeon, packed_bytes, pack, pack_strided,
    run<run_panel<1, 16, 12, 8, 4, 2, 1>, run_panel<2, 12, 9, 6, 4, 2, 1>, run_panel<3, 8, 6, 4, 3, 2, 1>, run_panel<4, 6, 5, 4, 3, 2, 1>>};

}  // namespace moru::kernels
