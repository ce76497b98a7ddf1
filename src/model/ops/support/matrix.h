// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace moru::model::ops {

/// A matrix seen through strides, so that a transposed one needs no copy. Element (i, j) is at i * row + j * column.
struct MatrixView {
  const float* data;
  std::int64_t row;
  std::int64_t column;
};

/// sum[j] += sum over k of a[i, k] * b[k, j], for one row i; `sum` has an entry a column of b.
void add_row_product(const MatrixView& a, const MatrixView& b, std::int64_t i, std::int64_t depth, std::span<double> sum);

}  // namespace moru::model::ops
