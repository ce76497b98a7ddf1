// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/gather/body.h"

namespace moru::kernels {

extern const GatherKernel kGather_scalar;
const GatherKernel kGather_scalar{Isa::kScalar, run};

}  // namespace moru::kernels
