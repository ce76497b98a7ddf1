// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/kernels.h"

namespace moru::kernels {
namespace {

template <class Kernel>
const Kernel* best(std::span<const Kernel* const> family, Isa isa) {
  const Kernel* found = nullptr;
  for (const Kernel* kernel : family) {
    if (includes(isa, kernel->isa) && (found == nullptr || kernel->isa > found->isa)) found = kernel;
  }
  return found;
}

}  // namespace

Kernels kernels_for(Isa isa) {
  return {isa,
          best(all_gemm_u8(), isa),
          best(all_depthwise_u8(), isa),
          best(all_gemm_f32(), isa),
          best(all_depthwise_f32(), isa),
          best(all_winograd_f32(), isa),
          best(all_gemm_mixed(), isa),
          best(all_hybrid(), isa),
          best(all_gather(), isa),
          best(all_map(), isa),
          best(all_elementwise(), isa),
          best(all_peak(), isa)};
}

}  // namespace moru::kernels
