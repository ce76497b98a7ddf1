// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/map/body.h"

namespace moru::kernels {

extern const MapKernel kMap_avx512;
const MapKernel kMap_avx512 = kernel_for(Isa::kAvx512);

}  // namespace moru::kernels
