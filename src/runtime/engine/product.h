// SPDX-License-Identifier: Apache-2.0
// Fully connected layers: rows of the last axis by constant weights.
#pragma once

#include "runtime/engine/matrix.h"

namespace moru::runtime::engine {

/// b [K, N] (or [N, K] when `transposed`) in rows [N, K].
template <class T>
std::vector<T> rows_of_matrix(std::span<const T> b, int n, int k, bool transposed) {
  if (transposed) return {b.begin(), b.end()};
  std::vector<T> rows(b.size());
  for (std::size_t i = 0; i < static_cast<std::size_t>(k); ++i) {
    for (std::size_t o = 0; o < static_cast<std::size_t>(n); ++o) {
      rows[o * static_cast<std::size_t>(k) + i] = b[i * static_cast<std::size_t>(n) + o];
    }
  }
  return rows;
}

/// Adds y [m, n] = a [m, k] by `matrix`, which knows its m.
template <class Matrix>
Status add_product(Lowering& lowering, const Matrix& matrix, BufferId a, BufferId y, BufferId residual = -1);

/// m of [..., m, k] by [k, n], and n and k, checked to be small enough for the kernels. kUnsupported for a `b` of more than two axes.
struct ProductShape {
  int m = 0;
  int n = 0;
  int k = 0;
};
Result<ProductShape> read_product(const Stored& a, const model::Dims& b, bool transposed);

/// Adds y = a by the matrix that `make` makes of the bias and of bounds. Takes over an Add of another value, and bounds, behind it.
template <class Make>
Status lower_product(Lowering& lowering, const Stored& a, model::ValueId y, std::vector<float> bias, Make make) {
  MORU_ASSIGN_OR_RETURN(const auto residual, lowering.absorb_residual(y, Layout::kPlain));
  const Bounds bounds = lowering.absorb_bounds(y);
  MORU_ASSIGN_OR_RETURN(const auto matrix, make(bias, bounds));
  MORU_ASSIGN_OR_RETURN(const Stored out, lowering.output(y, Layout::kPlain));
  return add_product(lowering, matrix, a.buffer, out.buffer, residual ? residual->buffer : -1);
}

}  // namespace moru::runtime::engine
