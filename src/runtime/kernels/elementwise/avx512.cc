// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/elementwise/body.h"

namespace moru::kernels {

extern const ElementwiseKernel kElementwise_avx512;
const ElementwiseKernel kElementwise_avx512 = kernel_for(Isa::kAvx512);

}  // namespace moru::kernels
