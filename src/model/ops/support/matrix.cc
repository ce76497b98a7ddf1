// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/matrix.h"

namespace moru::model::ops {

void add_row_product(const MatrixView& a, const MatrixView& b, std::int64_t i, std::int64_t depth, std::span<double> sum) {
  const float* row = a.data + i * a.row;
  const std::int64_t columns = std::ssize(sum);
  if (b.column == 1) {
    for (std::int64_t k = 0; k < depth; ++k) {
      const double factor = static_cast<double>(row[k * a.column]);
      const float* from = b.data + k * b.row;
      for (std::int64_t j = 0; j < columns; ++j) sum[static_cast<std::size_t>(j)] += factor * static_cast<double>(from[j]);
    }
    return;
  }
  // A transposed b lies along k: the other order of loops reads it straight through.
  for (std::int64_t j = 0; j < columns; ++j) {
    const float* from = b.data + j * b.column;
    double total = 0;
    for (std::int64_t k = 0; k < depth; ++k) total += static_cast<double>(row[k * a.column]) * static_cast<double>(from[k * b.row]);
    sum[static_cast<std::size_t>(j)] += total;
  }
}

}  // namespace moru::model::ops
