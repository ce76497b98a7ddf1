// SPDX-License-Identifier: Apache-2.0
// Floats by weights: c[i, o] = clamp(bias[o] + sum over k of a[i, k] * w[o, k] + residual[i, o], low, high), summed in any order.
// A row of `a` may be pieces of several lines, one after the other, as a convolution finds them in an image.
#pragma once

#include <span>

#include "runtime/kernels/common.h"

namespace moru::kernels {

struct GemmF32 {
  int m = 0;
  int n = 0;
  int k = 0;                            ///< of each line
  const float* a = nullptr;             ///< [m, k], for one line
  std::ptrdiff_t a_stride = 0;          ///< floats from one row to the next
  const std::byte* weights = nullptr;   ///< from pack() of the same kernel, aligned to 64
  const float* bias = nullptr;          ///< padded(n)
  const float* residual = nullptr;      ///< [m, n], or null; may be c
  std::ptrdiff_t residual_stride = 0;   ///< floats from one row to the next
  float* c = nullptr;                   ///< [m, n]
  std::ptrdiff_t c_stride = 0;          ///< floats from one row to the next
  float low = 0;                        ///< -inf for none
  float high = 0;                       ///< inf for none
  const float* const* lines = nullptr;  ///< for several: each [m, k]; null for one, at `a`
  int line_count = 1;
};

struct GemmF32Kernel {
  Isa isa;
  std::size_t (*packed_bytes)(int n, int lines, int k);
  /// w [n, lines, k] in the order that run() reads it in.
  void (*pack)(const float* w, int n, int lines, int k, std::byte* packed);
  /// The same of one line, from a matrix that lies in any way: w[o, i] at o * n_stride + i * k_stride. Allocates nothing.
  void (*pack_strided)(const float* w, std::ptrdiff_t n_stride, std::ptrdiff_t k_stride, int n, int k, std::byte* packed);
  void (*run)(const GemmF32& call);
};

std::span<const GemmF32Kernel* const> all_gemm_f32();

}  // namespace moru::kernels
