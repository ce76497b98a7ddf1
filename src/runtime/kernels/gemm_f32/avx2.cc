// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/simd_avx2.h"
// The body is over Simd.
#include "runtime/kernels/gemm_f32/body.h"

namespace moru::kernels {

extern const GemmF32Kernel kGemmF32_avx2;
const GemmF32Kernel kGemmF32_avx2{Isa::kAvx2, packed_bytes, pack, run};

}  // namespace moru::kernels
