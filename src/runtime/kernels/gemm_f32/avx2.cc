// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/simd_avx2.h"
// The body is over Simd.
#include "runtime/kernels/gemm_f32/body.h"

namespace moru::kernels {

extern const GemmF32Kernel kGemmF32_avx2;
const GemmF32Kernel kGemmF32_avx2{Isa::kAvx2, packed_bytes, pack, pack_strided,
                                  run<run_panel<1, 12, 8, 4, 2, 1>, run_panel<2, 6, 5, 4, 3, 2, 1>>};

}  // namespace moru::kernels
