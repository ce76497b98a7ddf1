// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/mixed.h"
#include "runtime/engine/pair.h"
#include "runtime/engine/product.h"

namespace moru::runtime::engine {
namespace {

/// Of two values that a run computes, or of shapes that fully connected layers do not have.
Status lower_pair(Lowering& lowering, const model::Node& node, const Stored& a) {
  MORU_ASSIGN_OR_RETURN(const Stored b, lowering.input(node, 1, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(const PairShape shape, read_pair(a.dims, b.dims));
  model::ValueId y = node.outputs.front();
  MORU_ASSIGN_OR_RETURN(const auto residual, lowering.absorb_residual(y, Layout::kPlain));
  const Bounds bounds = lowering.absorb_bounds(y);
  MORU_ASSIGN_OR_RETURN(const Stored out, lowering.output(y, Layout::kPlain));
  return add_pair(lowering, shape, {.k_step = shape.n, .n_step = 1}, {a.buffer, b.buffer, out.buffer, residual ? residual->buffer : -1},
                  bounds);
}

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored a, lowering.input(node, 0, Layout::kPlain));
  const model::ValueId right = node.inputs[1];
  if (!a.is_float() || lowering.graph().value(right).type.dtype != model::DType::kFloat32) {
    return fail(ErrorCode::kUnsupported, "expected float32");
  }
  MORU_ASSIGN_OR_RETURN(const model::Dims b_dims, lowering.dims(right));
  if (a.dims.size() < 2 || b_dims.size() != 2) return lower_pair(lowering, node, a);
  MORU_ASSIGN_OR_RETURN(const ProductShape shape, read_product(a, b_dims, false));
  model::ValueId y = node.outputs.front();
  MORU_ASSIGN_OR_RETURN(const auto mixed, mixed_weights(lowering, right, false));
  if (mixed) {
    const auto bias = lowering.absorb_bias(y, a.dims.size() - 1);
    return lower_product(lowering, a, y, bias, [&](std::span<const float> numbers, Bounds bounds) {
      return make_matrix(lowering, *mixed, shape.m, numbers, bounds);
    });
  }
  MORU_ASSIGN_OR_RETURN(const model::Tensor* b, lowering.known(right));
  if (b == nullptr) return lower_pair(lowering, node, a);
  const auto rows = rows_of_matrix(b->data<float>(), shape.n, shape.k, false);
  const auto bias = lowering.absorb_bias(y, a.dims.size() - 1);
  return lower_product(lowering, a, y, bias, [&](std::span<const float> numbers, Bounds bounds) {
    return make_matrix(lowering, rows, {.n = shape.n, .k = shape.k, .m = shape.m}, numbers, bounds);
  });
}

}  // namespace

extern const LowerSpec kLower_mat_mul;
const LowerSpec kLower_mat_mul{.name = "MatMul", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
