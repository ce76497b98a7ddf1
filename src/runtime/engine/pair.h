// SPDX-License-Identifier: Apache-2.0
// Products of two values, neither of them a constant: those of attention. The right one is packed in the run, each matrix once.
#pragma once

#include "runtime/engine/matrix.h"

namespace moru::runtime::engine {

/// Matrices of one size: y [m, n] = a [m, k] by b [k, n], several one after the other.
struct PairShape {
  int m = 0;
  int n = 0;
  int k = 0;
  /// Of each, in the order of y, where its operands begin, in elements.
  struct Matrix {
    std::ptrdiff_t a;
    std::ptrdiff_t b;
  };
  std::vector<Matrix> matrices = {};
};

/// By the rule of MatMul for a of `a` and b of `b`. kUnsupported for empty and for huge ones.
Result<PairShape> read_pair(const model::Dims& a, const model::Dims& b);

/// How a matrix b lies: element [k, n] at k * k_step + n * n_step.
struct MatrixSteps {
  std::ptrdiff_t k_step;
  std::ptrdiff_t n_step;
};

struct PairBuffers {
  BufferId a;
  BufferId b;
  BufferId y;
  BufferId residual = -1;  ///< of y's shape; floats only
};

Status add_pair(Lowering& lowering, const PairShape& shape, const MatrixSteps& steps, const PairBuffers& buffers, Bounds bounds);

/// On levels: `arithmetic` has one factor, zero point and bias a column.
Status add_pair(Lowering& lowering, const PairShape& shape, const PairBuffers& buffers, const LevelArithmetic& arithmetic);

}  // namespace moru::runtime::engine
