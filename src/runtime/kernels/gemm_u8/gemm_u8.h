// SPDX-License-Identifier: Apache-2.0
// Levels by weights, to levels: c[i, o] = requantize(bias[o] + sum over k of a[i, k] * (w[o, k] - w_zero[o])), the sum in int32.
// A zero point of `a` is the caller's: it is constant, and goes into the bias. A row of `a` may be pieces of several lines, one after the
// other, as a convolution finds them in an image.
#pragma once

#include <span>

#include "runtime/kernels/common.h"

namespace moru::kernels {

/// Levels of all lines of a row, where there is more than one.
inline constexpr int kMostOfLines = 1024;

struct GemmU8 {
  int m = 0;
  int n = 0;
  int k = 0;                           ///< of each line
  const std::uint8_t* a = nullptr;     ///< [m, k], for one line
  std::ptrdiff_t a_stride = 0;         ///< bytes from one row to the next
  const std::byte* weights = nullptr;  ///< from pack() of the same kernel, aligned to 64
  const std::int32_t* bias = nullptr;  ///< padded(n)
  /// For weights with a zero point (both or neither): the sum of each row [m], over all lines, and what is taken from each weight
  /// [padded(n)].
  const std::int32_t* row_sums = nullptr;
  const std::int32_t* w_zero = nullptr;
  std::uint8_t* c = nullptr;    ///< [m, n]; overlaps nothing else
  std::ptrdiff_t c_stride = 0;  ///< bytes from one row to the next
  Requantize to;
  const std::uint8_t* const* lines = nullptr;  ///< for several: each [m, k], line_count * k at most kMostOfLines; null for one, at `a`
  int line_count = 1;
  /// So many products, of m rows each: one behind the other in c, and the lines of each `line_step` behind those of the one before. More
  /// than one has lines and no row_sums.
  int times = 1;
  int line_step = 0;
};

struct GemmU8Kernel {
  Isa isa;
  /// Bytes of packed weights.
  std::size_t (*packed_bytes)(int n, int lines, int k);
  /// w [n, lines, k] in the order that run() reads it in.
  void (*pack)(const std::int8_t* w, int n, int lines, int k, std::byte* packed);
  void (*run)(const GemmU8& call);
};

std::span<const GemmU8Kernel* const> all_gemm_u8();

}  // namespace moru::kernels
