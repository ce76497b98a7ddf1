// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/gather/body.h"

namespace moru::kernels {

extern const GatherKernel kGather_avx512;
const GatherKernel kGather_avx512{Isa::kAvx512, run};

}  // namespace moru::kernels
