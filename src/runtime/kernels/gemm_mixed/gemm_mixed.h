// SPDX-License-Identifier: Apache-2.0
// Floats by weights that stay integers of 8 or 4 bits in memory and become floats in registers:
//   c[i, o] = clamp(bias[o] + sum over blocks b of scale[b, o] * sum over k in b of a[i, k] * (w[o, k] - zero[b, o]) + residual[i, o], low,
//   high)
// A fully connected layer on few rows is as slow as its weights are large: these are a fourth or an eighth of floats.
#pragma once

#include <span>

#include "runtime/kernels/common.h"

namespace moru::kernels {

struct GemmMixed {
  int m = 0;
  int n = 0;
  int k = 0;
  int bits = 8;                        ///< of a weight: 8, or 4 with an even `block`
  int block = 0;                       ///< so many k share a scale and a zero point; the last block may be shorter
  const float* a = nullptr;            ///< [m, k]
  std::ptrdiff_t a_stride = 0;         ///< floats from one row to the next
  const std::byte* weights = nullptr;  ///< from pack() of the same kernel, aligned to 64
  const float* scale = nullptr;        ///< [blocks, padded(n)]
  const float* zero = nullptr;         ///< [blocks, padded(n)], whole numbers
  const float* bias = nullptr;         ///< padded(n)
  const float* residual = nullptr;     ///< [m, n], or null; may be c
  std::ptrdiff_t residual_stride = 0;
  float* c = nullptr;  ///< [m, n]
  std::ptrdiff_t c_stride = 0;
  float low = 0;   ///< -inf for none
  float high = 0;  ///< inf for none
};

struct GemmMixedKernel {
  Isa isa;
  std::size_t (*packed_bytes)(int n, int k, int bits);
  /// w [n, k], each within `bits` bits with a sign, in the order that run() reads it in.
  void (*pack)(const std::int8_t* w, int n, int k, int bits, std::byte* packed);
  void (*run)(const GemmMixed& call);
};

std::span<const GemmMixedKernel* const> all_gemm_mixed();

}  // namespace moru::kernels
