// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/product.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored a, lowering.input(node, 0, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* b, lowering.constant(node, 1));
  if (a.is_levels() || b->dtype() != model::DType::kFloat32) return fail(ErrorCode::kUnsupported, "expected float32");
  MORU_ASSIGN_OR_RETURN(const ProductShape shape, read_product(a, *b, false));
  const auto rows = rows_of_matrix(b->data<float>(), shape.n, shape.k, false);
  model::ValueId y = node.outputs.front();
  const auto bias = lowering.absorb_bias(y, a.dims.size() - 1);
  MORU_ASSIGN_OR_RETURN(const auto residual, lowering.absorb_residual(y, Layout::kPlain));
  const Bounds bounds = lowering.absorb_bounds(y);
  MORU_ASSIGN_OR_RETURN(const MatrixF32 matrix, make_matrix(lowering, rows, {.n = shape.n, .k = shape.k, .m = shape.m}, bias, bounds));
  MORU_ASSIGN_OR_RETURN(const Stored out, lowering.output(y, Layout::kPlain));
  return add_product(lowering, matrix, a.buffer, out.buffer, residual ? residual->buffer : -1);
}

}  // namespace

extern const LowerSpec kLower_mat_mul;
const LowerSpec kLower_mat_mul{.name = "MatMul", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
