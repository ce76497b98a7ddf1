// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/ops/support/types.h"

namespace moru::model::ops {

/// A matrix seen through strides, so that a transposed one needs no copy. Element (i, j) is at i * row + j * column.
template <class T>
struct MatrixView {
  const T* data;
  std::int64_t row;
  std::int64_t column;
};

/// sum[j] += sum over k of a[i, k] * b[k, j], for one row i; `sum` has an entry a column of b. Integers wrap around.
template <class T>
void add_row_product(const MatrixView<T>& a, const MatrixView<T>& b, std::int64_t i, std::int64_t depth, std::span<Wide<T>> sum) {
  const T* row = a.data + i * a.row;
  const std::int64_t columns = std::ssize(sum);
  if (b.column == 1) {
    for (std::int64_t k = 0; k < depth; ++k) {
      const Wide<T> factor = widen(row[k * a.column]);
      const T* from = b.data + k * b.row;
      for (Wide<T>& total : sum) total = wrap_add(total, wrap_multiply(factor, widen(*from++)));
    }
    return;
  }
  // A transposed b lies along k: the other order of loops reads it straight through.
  for (std::int64_t j = 0; j < columns; ++j) {
    const T* from = b.data + j * b.column;
    Wide<T> total{0};
    for (std::int64_t k = 0; k < depth; ++k) total = wrap_add(total, wrap_multiply(widen(row[k * a.column]), widen(from[k * b.row])));
    Wide<T>& whole = sum[static_cast<std::size_t>(j)];
    whole = wrap_add(whole, total);
  }
}

}  // namespace moru::model::ops
