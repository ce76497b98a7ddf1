// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/elementwise/body.h"

namespace moru::kernels {

extern const ElementwiseKernel kElementwise_scalar;
const ElementwiseKernel kElementwise_scalar = kernel_for(Isa::kScalar);

}  // namespace moru::kernels
