// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/elementwise/body.h"

namespace moru::kernels {

extern const ElementwiseKernel kElementwise_avx2;
const ElementwiseKernel kElementwise_avx2 = kernel_for(Isa::kAvx2);

}  // namespace moru::kernels
