// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/pair.h"
#include "runtime/engine/product.h"

namespace moru::runtime::engine {
namespace {

enum Input : std::size_t { kA = 0, kBMatrix = 2 };

Status lower_pair(Lowering& lowering, const model::Node& node, const Stored& a) {
  MORU_ASSIGN_OR_RETURN(const Stored b, lowering.input(node, kBMatrix, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(const PairShape shape, read_pair(a.dims, b.dims));
  // Whatever b was, it lies as uint8, and becomes int8.
  MORU_ASSIGN_OR_RETURN(const LevelArithmetic arithmetic, read_arithmetic(lowering, node, shape.n, b.dtype));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kPlain));
  return add_pair(lowering, shape, {a.buffer, b.buffer, y.buffer}, arithmetic);
}

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored a, lowering.input(node, kA, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(const model::Dims b_dims, lowering.dims(node.inputs[kBMatrix]));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* b, lowering.known(node.inputs[kBMatrix]));
  if (b == nullptr || a.dims.size() < 2 || b_dims.size() != 2) return lower_pair(lowering, node, a);
  MORU_ASSIGN_OR_RETURN(const ProductShape shape, read_product(a, b_dims, false));
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
