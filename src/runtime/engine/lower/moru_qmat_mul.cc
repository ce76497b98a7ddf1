// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/product.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored a, lowering.input(node, 0, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* b, lowering.constant(node, 2));
  MORU_ASSIGN_OR_RETURN(const ProductShape shape, read_product(a, *b, false));
  MORU_ASSIGN_OR_RETURN(const LevelArithmetic arithmetic, read_arithmetic(lowering, node, shape.n, b->dtype()));
  const auto rows = rows_of_matrix<std::int8_t>(signed_weights(*b), shape.n, shape.k, false);
  MORU_ASSIGN_OR_RETURN(const MatrixU8 matrix, make_matrix(lowering, rows, {.n = shape.n, .k = shape.k, .m = shape.m}, arithmetic, 0));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kPlain));
  return add_product(lowering, matrix, a.buffer, y.buffer);
}

}  // namespace

extern const LowerSpec kLower_moru_qmat_mul;
const LowerSpec kLower_moru_qmat_mul{.name = "QMatMul", .domain = "moru", .lower = lower};

}  // namespace moru::runtime::engine
