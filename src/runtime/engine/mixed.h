// SPDX-License-Identifier: Apache-2.0
// Fully connected layers whose weights stay integers of 8 or 4 bits: DequantizeLinear of a constant in front of MatMul or Gemm.
#pragma once

#include "runtime/engine/matrix.h"

namespace moru::runtime::engine {

/// Weights, scales, bias and bounds of [m, k] x [k, n].
struct MatrixMixed {
  using Element = float;
  const kernels::GemmMixedKernel* kernel = nullptr;
  kernels::GemmMixed call;  ///< all but what run() sets

  Cut cut;  ///< in one piece

  bool needs_row_sums() const { return false; }
  void run(const Rows<float>& rows, const Outputs<float>& to, int /*slice*/) const noexcept {
    kernels::GemmMixed now = call;
    now.m = rows.count;
    now.a = rows.a;
    now.a_stride = rows.stride;
    now.c = to.c;
    now.c_stride = to.stride;
    now.residual = to.residual;
    now.residual_stride = to.residual_stride;
    kernel->run(now);
  }
};

/// Integers with a scale each `block` of k and each output.
struct MixedWeights {
  int n = 0;
  int k = 0;
  int bits = 8;
  int block = 0;
  std::vector<std::int8_t> rows = {};  ///< [n, k]
  std::vector<float> scale = {};       ///< [blocks, n]
  std::vector<float> zero = {};        ///< [blocks, n]
};

/// Those behind `b` [K, N] (or [N, K] when `transposed`), through a Transpose that stands between. Nothing where there are none, or where
/// their scales lie in another way: then they are floats like any others. kInvalidArgument for a scale that is no finite number.
Result<std::optional<MixedWeights>> mixed_weights(Lowering& lowering, model::ValueId b, bool transposed);

/// For m rows on the left.
Result<MatrixMixed> make_matrix(Lowering& lowering, const MixedWeights& weights, int m, std::span<const float> bias, Bounds bounds);

}  // namespace moru::runtime::engine
