// SPDX-License-Identifier: Apache-2.0
// One row of a depthwise convolution on floats, channels last:
// out[x, c] = clamp(bias[c] + sum over i, j of rows[i][x * stride + j * dilation, c] * w[i, j, c], low, high).
#pragma once

#include <span>

#include "runtime/kernels/common.h"

namespace moru::kernels {

struct DepthwiseF32 {
  int channels = 0;
  int kernel_h = 0;
  int kernel_w = 0;
  int stride = 1;    ///< columns
  int dilation = 1;  ///< columns
  int out_width = 0;
  const float* const* rows = nullptr;  ///< as in DepthwiseU8
  const float* weights = nullptr;      ///< [kernel_h, kernel_w, padded(channels)]
  const float* bias = nullptr;         ///< padded(channels)
  float* out = nullptr;                ///< [out_width, channels]
  float low = 0;                       ///< -inf for none
  float high = 0;                      ///< inf for none
  int out_height = 1;                  ///< as in DepthwiseU8
  int row_stride = 1;
};

struct DepthwiseF32Kernel {
  Isa isa;
  void (*run)(const DepthwiseF32& call);
};

std::span<const DepthwiseF32Kernel* const> all_depthwise_f32();

}  // namespace moru::kernels
