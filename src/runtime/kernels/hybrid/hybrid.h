// SPDX-License-Identifier: Apache-2.0
// Products of levels and int8 weights to floats: c[i, o] = clamp(float32(sum over k of a[i, k] * w[o, k]) * scale[o] * step + bias[o], low,
// high), the sum in int32, each other operation rounded to float32; and how floats become the levels, from -127 to 127. In which bytes
// these lie is the kernel's choice.
#pragma once

#include <span>

#include "runtime/kernels/common.h"

namespace moru::kernels {

/// Products of a sum: that many cannot leave int32.
inline constexpr int kMostOfHybridSum = 131072;

struct HybridProduct {
  int m = 0;
  int n = 0;
  int k = 0;                           ///< at most kMostOfHybridSum
  const std::byte* a = nullptr;        ///< [m, k] levels
  std::ptrdiff_t a_stride = 0;         ///< levels from one row to the next
  const std::byte* weights = nullptr;  ///< from pack() of the same kernel, aligned to 64
  const float* scale = nullptr;        ///< padded(n)
  const float* bias = nullptr;         ///< padded(n)
  float step = 0;
  float* c = nullptr;           ///< [m, n]
  std::ptrdiff_t c_stride = 0;  ///< floats from one row to the next
  float low = 0;                ///< -inf for none
  float high = 0;               ///< inf for none
};

struct HybridKernel {
  Isa isa;
  int level_bytes;  ///< of a level
  int zero;         ///< what the bytes of level 0 are
  std::size_t (*packed_bytes)(int n, int k);
  /// w [n, k] in the order that run() reads it in.
  void (*pack)(const std::int8_t* w, int n, int k, std::byte* packed);
  void (*run)(const HybridProduct& call);
  /// The largest magnitude; of numbers that are none, any.
  float (*largest)(const float* x, std::size_t count);
  /// Levels: sign(x) * floor(|x| * inverse + 1/2), the 1/2 being the float before it; |x| * inverse is at most 127.
  void (*quantize)(const float* x, std::byte* levels, std::size_t count, float inverse);
};

std::span<const HybridKernel* const> all_hybrid();

}  // namespace moru::kernels
