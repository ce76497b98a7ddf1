// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/gather/body.h"

namespace moru::kernels {

extern const GatherKernel kGather_avx2;
const GatherKernel kGather_avx2{Isa::kAvx2, run};

}  // namespace moru::kernels
