// SPDX-License-Identifier: Apache-2.0
// One row of a depthwise convolution on levels, or some, channels last:
// out[x, c] = requantize(bias[c] + sum over i, j of rows[i][x * stride + j * dilation, c] * (w[i, j, c] - w_zero[c])), the sum in int32.
#pragma once

#include <span>

#include "runtime/kernels/common.h"

namespace moru::kernels {

struct DepthwiseU8 {
  int channels = 0;
  int kernel_h = 0;
  int kernel_w = 0;
  int stride = 1;    ///< columns
  int dilation = 1;  ///< columns
  int out_width = 0;
  /// kernel_h input rows [width, channels], each from the column that the first tap of the first output reads. Padding is in them.
  const std::uint8_t* const* rows = nullptr;
  const std::byte* weights = nullptr;    ///< from pack() of the same kernel, aligned to 64
  const std::int32_t* bias = nullptr;    ///< padded(channels)
  const std::int32_t* w_zero = nullptr;  ///< padded(channels), or null for zeros
  std::uint8_t* out = nullptr;           ///< [out_width, channels]
  Requantize to;
  int out_height = 1;  ///< rows of the output, one behind the other; what a call prepares serves them all
  int row_stride = 1;  ///< from an output row to the next, so many further in `rows`: of (out_height - 1) * row_stride + kernel_h
};

struct DepthwiseU8Kernel {
  Isa isa;
  std::size_t (*packed_bytes)(int kernel_h, int kernel_w, int channels);
  /// w [kernel_h, kernel_w, channels] in the order that run() reads it in.
  void (*pack)(const std::int8_t* w, int kernel_h, int kernel_w, int channels, std::byte* packed);
  void (*run)(const DepthwiseU8& call);
};

std::span<const DepthwiseU8Kernel* const> all_depthwise_u8();

}  // namespace moru::kernels
