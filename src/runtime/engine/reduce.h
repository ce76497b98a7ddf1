// SPDX-License-Identifier: Apache-2.0
// Sums, means and extremes along axes that lie side by side.
#pragma once

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

/// How elements become one.
struct Reduction {
  float first = 0;  ///< what y begins with
  /// Takes rows of `count` elements into y.
  void (*rows)(const kernels::ElementwiseKernel& kernel, const float* x, std::size_t rows, std::ptrdiff_t stride, std::size_t count,
               float* y) = nullptr;
  /// Makes one of two results.
  float (*one)(float y, float x) = nullptr;
  bool is_mean = false;  ///< of which so many parts are taken
  bool is_root = false;  ///< of which the square root is taken
};

/// Lowers a Reduce node whose axes are input 1 (all when left out). kUnsupported for levels, and for axes that do not lie side by side.
Status lower_reduce(Lowering& lowering, const model::Node& node, const Reduction& reduction);

}  // namespace moru::runtime::engine
