// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/kernels/depthwise_f32/depthwise_f32.h"
#include "runtime/kernels/depthwise_u8/depthwise_u8.h"
#include "runtime/kernels/elementwise/elementwise.h"
#include "runtime/kernels/gather/gather.h"
#include "runtime/kernels/gemm_f32/gemm_f32.h"
#include "runtime/kernels/gemm_mixed/gemm_mixed.h"
#include "runtime/kernels/gemm_u8/gemm_u8.h"
#include "runtime/kernels/hybrid/hybrid.h"
#include "runtime/kernels/isa.h"
#include "runtime/kernels/map/map.h"
#include "runtime/kernels/peak/peak.h"
#include "runtime/kernels/winograd_f32/winograd_f32.h"

namespace moru::kernels {

/// One kernel a family, for one ISA. Never null; immutable, for all threads.
struct Kernels {
  Isa isa;
  const GemmU8Kernel* gemm_u8;
  const DepthwiseU8Kernel* depthwise_u8;
  const GemmF32Kernel* gemm_f32;
  const DepthwiseF32Kernel* depthwise_f32;
  const WinogradF32Kernel* winograd_f32;
  const GemmMixedKernel* gemm_mixed;
  const HybridKernel* hybrid;
  const GatherKernel* gather;
  const MapKernel* map;
  const ElementwiseKernel* elementwise;
  const PeakKernel* peak;
};

/// Each family's file for `isa`, or for the next lower ISA that has one.
Kernels kernels_for(Isa isa);

}  // namespace moru::kernels
