// SPDX-License-Identifier: Apache-2.0
// A depthwise convolution of one image on floats, channels last; outside of the image is 0:
// out[y, x, c] = clamp(bias[c] + sum over i, j of in[y * stride_h - pad_top + i * dilation_h, x * stride_w - pad_left + j * dilation_w, c]
//                      * w[i, j, c], low, high), summed in any order.
#pragma once

#include <span>

#include "runtime/kernels/common.h"

namespace moru::kernels {

struct DepthwiseF32 {
  int channels = 0;
  int kernel_h = 0;
  int kernel_w = 0;
  int stride_h = 1;
  int stride_w = 1;
  int dilation_h = 1;
  int dilation_w = 1;
  int pad_top = 0;
  int pad_left = 0;
  int in_height = 0;
  int in_width = 0;
  int out_height = 0;
  int out_width = 0;
  const float* in = nullptr;  ///< [in_height, in_width, channels]
  /// [kernel_h, kernel_w, padded(channels)] and [padded(channels)]: behind the channels they begin anew, so that lanes may hold several
  /// columns of a few channels.
  const float* weights = nullptr;
  const float* bias = nullptr;
  float* out = nullptr;  ///< [out_height, out_width, channels]
  float low = 0;         ///< -inf for none
  float high = 0;        ///< inf for none
};

struct DepthwiseF32Kernel {
  Isa isa;
  void (*run)(const DepthwiseF32& call);
};

std::span<const DepthwiseF32Kernel* const> all_depthwise_f32();

}  // namespace moru::kernels
