// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/matrix_product.h"

namespace moru::model::ops {

Result<std::optional<SymbolicShape>> infer_matrix_product(const InferContext& context, std::size_t a_index, std::size_t b_index) {
  for (const std::size_t i : {a_index, b_index}) {
    const SymbolicShape* shape = shape_of(context, i);
    if (shape != nullptr && shape->empty()) return input_error(context, i, "found a scalar, expected rank 1 or more");
  }
  const SymbolicShape* given_a = shape_of(context, a_index);
  const SymbolicShape* given_b = shape_of(context, b_index);
  if (given_a == nullptr || given_b == nullptr) return std::nullopt;
  const bool row = given_a->size() == 1;
  const bool column = given_b->size() == 1;
  MORU_RETURN_IF_ERROR(
      expect_extent(context, b_index, column ? 0 : given_b->size() - 2, given_a->back(), "the columns of the left matrix"));
  const SymbolicShape a_batch(given_a->begin(), row ? given_a->begin() : given_a->end() - 2);
  const SymbolicShape b_batch(given_b->begin(), column ? given_b->begin() : given_b->end() - 2);
  MORU_ASSIGN_OR_RETURN(SymbolicShape y, broadcast(a_batch, b_batch));
  if (!row) y.push_back((*given_a)[given_a->size() - 2]);
  if (!column) y.push_back(given_b->back());
  return y;
}

std::optional<std::int64_t> matrix_product_macs(const InferContext& context, std::size_t a) {
  const SymbolicShape* shape = shape_of(context, a);
  if (shape == nullptr || shape->empty()) return std::nullopt;
  return macs_of(context, std::span<const Dim>(*shape).last(1));
}

}  // namespace moru::model::ops
