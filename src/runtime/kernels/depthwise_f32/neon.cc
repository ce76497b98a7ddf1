// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/simd_neon.h"
// The body is over Simd.
#include "runtime/kernels/depthwise_f32/body.h"

namespace moru::kernels {

extern const DepthwiseF32Kernel kDepthwiseF32_neon;
const DepthwiseF32Kernel kDepthwiseF32_neon{Isa::kNeon, run};

}  // namespace moru::kernels
