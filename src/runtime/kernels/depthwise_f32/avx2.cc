// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/simd_avx2.h"
// The body is over Simd.
#include "runtime/kernels/depthwise_f32/body.h"

namespace moru::kernels {

extern const DepthwiseF32Kernel kDepthwiseF32_avx2;
const DepthwiseF32Kernel kDepthwiseF32_avx2{Isa::kAvx2, run};

}  // namespace moru::kernels
