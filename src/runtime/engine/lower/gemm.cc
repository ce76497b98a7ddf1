// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "runtime/engine/product.h"

namespace moru::runtime::engine {
namespace {

/// C as one number a column; empty for none.
Result<std::vector<float>> bias_of(Lowering& lowering, const model::Node& node, int n, float beta) {
  constexpr std::size_t kC = 2;
  std::vector<float> bias;
  if (!lowering.has_input(node, kC)) return bias;
  MORU_ASSIGN_OR_RETURN(const model::Tensor* c, lowering.constant(node, kC));
  const bool is_row = c->rank() == 1 || (c->rank() == 2 && c->dims()[0] == 1);
  if (c->count() != 1 && (!is_row || c->count() != n)) {
    return fail(ErrorCode::kUnsupported, fmt::format("found C of shape {}, expected one number a column", model::to_string(c->dims())));
  }
  for (int o = 0; o < n; ++o) bias.push_back(beta * c->data<float>()[c->count() == 1 ? 0 : static_cast<std::size_t>(o)]);
  return bias;
}

Status lower(Lowering& lowering, const model::Node& node) {
  enum Input : std::size_t { kA, kBMatrix };
  MORU_ASSIGN_OR_RETURN(const std::int64_t trans_a, model::int_attribute(node, "transA", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t trans_b, model::int_attribute(node, "transB", 0));
  MORU_ASSIGN_OR_RETURN(const float alpha, model::float_attribute(node, "alpha", 1.0F));
  MORU_ASSIGN_OR_RETURN(const float beta, model::float_attribute(node, "beta", 1.0F));
  MORU_ASSIGN_OR_RETURN(const Stored a, lowering.input(node, kA, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* b, lowering.constant(node, kBMatrix));
  if (trans_a != 0) return fail(ErrorCode::kUnsupported, "found transA, expected A as it is");
  if (a.is_levels() || b->dtype() != model::DType::kFloat32) return fail(ErrorCode::kUnsupported, "expected float32");
  MORU_ASSIGN_OR_RETURN(const ProductShape shape, read_product(a, *b, trans_b != 0));
  MORU_ASSIGN_OR_RETURN(const auto bias, bias_of(lowering, node, shape.n, beta));
  auto rows = rows_of_matrix(b->data<float>(), shape.n, shape.k, trans_b != 0);
  for (float& weight : rows) weight *= alpha;
  model::ValueId y = node.outputs.front();
  MORU_ASSIGN_OR_RETURN(const auto residual, lowering.absorb_residual(y, Layout::kPlain));
  const Bounds bounds = lowering.absorb_bounds(y);
  MORU_ASSIGN_OR_RETURN(const MatrixF32 matrix, make_matrix(lowering, rows, {.n = shape.n, .k = shape.k, .m = shape.m}, bias, bounds));
  MORU_ASSIGN_OR_RETURN(const Stored out, lowering.output(y, Layout::kPlain));
  return add_product(lowering, matrix, a.buffer, out.buffer, residual ? residual->buffer : -1);
}

}  // namespace

extern const LowerSpec kLower_gemm;
const LowerSpec kLower_gemm{.name = "Gemm", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
