// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/simd_avx512.h"
// The body is over Simd.
#include "runtime/kernels/depthwise_f32/body.h"

namespace moru::kernels {

extern const DepthwiseF32Kernel kDepthwiseF32_avx512;
const DepthwiseF32Kernel kDepthwiseF32_avx512{Isa::kAvx512, run};

}  // namespace moru::kernels
