// SPDX-License-Identifier: Apache-2.0
// NumPy's matmul for other element types than float: shapes, and the walk over a batch of matrices.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"

namespace moru::model::ops {

/// The shape of the product of inputs `a` and `b`; nullopt while a rank is unknown.
Result<std::optional<SymbolicShape>> infer_matrix_product(const InferContext& context, std::size_t a, std::size_t b);

/// Each element of the product sums along the last axis of input `a`.
std::optional<std::int64_t> matrix_product_macs(const InferContext& context, std::size_t a);

/// Calls store(j, sum) for each element of the product in row-major order, j being its column. `a` and `b` have Sum's type.
template <class T, class Sum, class Store>
void matrix_product(const Tensor& a, const Tensor& b, const Dims& y, Store store) {
  const bool row = a.rank() == 1;
  const bool column = b.rank() == 1;
  const Dims a_dims = row ? Dims{1, a.dims()[0]} : a.dims();
  const Dims b_dims = column ? Dims{b.dims()[0], 1} : b.dims();
  const std::int64_t rows = a_dims[a_dims.size() - 2];
  const std::int64_t depth = a_dims.back();
  const std::int64_t columns = b_dims.back();
  const auto batch = std::span(y).first(y.size() - (row ? 0U : 1U) - (column ? 0U : 1U));
  const auto a_strides = broadcast_strides(std::span(a_dims).first(a_dims.size() - 2), batch);
  const auto b_strides = broadcast_strides(std::span(b_dims).first(b_dims.size() - 2), batch);
  std::vector<std::int64_t> index(batch.size(), 0);
  std::vector<Sum> sums(static_cast<std::size_t>(columns));
  do {
    std::int64_t a_matrix = 0;
    std::int64_t b_matrix = 0;
    for (std::size_t axis = 0; axis < batch.size(); ++axis) {
      a_matrix += index[axis] * a_strides[axis];
      b_matrix += index[axis] * b_strides[axis];
    }
    const T* from = a.data<T>().data() + a_matrix * rows * depth;
    for (std::int64_t i = 0; i < rows; ++i) {
      std::ranges::fill(sums, Sum{});
      const T* other = b.data<T>().data() + b_matrix * depth * columns;
      for (std::int64_t k = 0; k < depth; ++k) {
        const auto factor = static_cast<Sum>(*from++);
        for (Sum& sum : sums) sum += factor * static_cast<Sum>(*other++);
      }
      for (std::size_t j = 0; j < sums.size(); ++j) store(j, sums[j]);
    }
  } while (next_index(index, batch));
}

}  // namespace moru::model::ops
