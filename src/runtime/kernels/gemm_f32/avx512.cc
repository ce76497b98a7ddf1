// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/simd_avx512.h"
// The body is over Simd.
#include "runtime/kernels/gemm_f32/body.h"

namespace moru::kernels {

extern const GemmF32Kernel kGemmF32_avx512;
const GemmF32Kernel kGemmF32_avx512{Isa::kAvx512, packed_bytes, pack, run};

}  // namespace moru::kernels
