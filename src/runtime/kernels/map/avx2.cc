// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/map/body.h"

namespace moru::kernels {

extern const MapKernel kMap_avx2;
const MapKernel kMap_avx2 = kernel_for(Isa::kAvx2);

}  // namespace moru::kernels
