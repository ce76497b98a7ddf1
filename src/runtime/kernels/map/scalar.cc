// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/map/body.h"

namespace moru::kernels {

extern const MapKernel kMap_scalar;
const MapKernel kMap_scalar = kernel_for(Isa::kScalar);

}  // namespace moru::kernels
