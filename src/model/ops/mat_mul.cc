// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/support/loops.h"
#include "model/ops/support/matrix.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"A", "[..., M, K], or [K]"}, {"B", "[..., K, N], or [K]"}};
constexpr PortSpec kOutputs[] = {{"Y", "[..., M, N]; M is left out when A is [K], N when B is [K]"}};
constexpr OpExample kExamples[] = {{"Two matrices", R"(graph "matmul" {
  init a = float32[2, 2] {1, 2, 3, 4}
  init b = float32[2, 2] {1, 1, 0, 1}
  y = MatMul(a, b)
  output y
})",
                                    "float32[2, 2] {1, 3, 3, 7}"},
                                   {"The same vector for each of a batch", R"(graph "batch" {
  init a = float32[2, 1, 2] {1, 2, 3, 4}
  init b = float32[2] {10, 1}
  y = MatMul(a, b)
  output y
})",
                                    "float32[2, 1] {12, 34}"}};

/// A vector becomes a row (left) or a column (right).
template <class Shape, class Extent>
Shape as_matrix(Shape shape, bool left, Extent one) {
  if (shape.size() == 1) shape.insert(left ? shape.begin() : shape.end(), std::move(one));
  return shape;
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kFloatOnly));
  for (std::size_t i = 0; i < 2; ++i) {
    const SymbolicShape* shape = ops::shape_of(context, i);
    if (shape != nullptr && shape->empty()) return ops::input_error(context, i, "found a scalar, expected rank 1 or more");
  }
  const SymbolicShape* given_a = ops::shape_of(context, 0);
  const SymbolicShape* given_b = ops::shape_of(context, 1);
  context.set_output(0, {dtype, std::nullopt});
  if (given_a == nullptr || given_b == nullptr) return {};
  const SymbolicShape a = as_matrix(*given_a, true, Dim{1, {}});
  const SymbolicShape b = as_matrix(*given_b, false, Dim{1, {}});
  const std::size_t depth_axis = given_b->size() == 1 ? 0 : given_b->size() - 2;
  MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, depth_axis, a.back(), "K of input 0 (A)"));
  MORU_ASSIGN_OR_RETURN(SymbolicShape y, ops::broadcast(SymbolicShape(a.begin(), a.end() - 2), SymbolicShape(b.begin(), b.end() - 2)));
  if (given_a->size() > 1) y.push_back(a[a.size() - 2]);
  if (given_b->size() > 1) y.push_back(b.back());
  context.set_output(0, {dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Dims a = as_matrix(context.input(0).dims(), true, std::int64_t{1});
  const Dims b = as_matrix(context.input(1).dims(), false, std::int64_t{1});
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  const std::int64_t rows = a[a.size() - 2];
  const std::int64_t depth = a.back();
  const std::int64_t columns = b.back();
  const std::size_t matrix_axes = (context.input(0).rank() > 1 ? 1U : 0U) + (context.input(1).rank() > 1 ? 1U : 0U);
  const auto batch = std::span(y.dims()).first(y.rank() - matrix_axes);
  const auto a_strides = ops::broadcast_strides(std::span(a).first(a.size() - 2), batch);
  const auto b_strides = ops::broadcast_strides(std::span(b).first(b.size() - 2), batch);
  std::vector<std::int64_t> index(batch.size(), 0);
  std::vector<double> sum(static_cast<std::size_t>(columns));
  float* to = y.mutable_data<float>().data();
  do {
    std::int64_t a_matrix = 0;
    std::int64_t b_matrix = 0;
    for (std::size_t axis = 0; axis < batch.size(); ++axis) {
      a_matrix += index[axis] * a_strides[axis];
      b_matrix += index[axis] * b_strides[axis];
    }
    const ops::MatrixView left{context.input(0).data<float>().data() + a_matrix * rows * depth, depth, 1};
    const ops::MatrixView right{context.input(1).data<float>().data() + b_matrix * depth * columns, columns, 1};
    for (std::int64_t i = 0; i < rows; ++i) {
      std::ranges::fill(sum, 0.0);
      ops::add_row_product(left, right, i, depth, sum);
      for (const double value : sum) *to++ = static_cast<float>(value);
    }
  } while (ops::next_index(index, batch));
  return {};
}

}  // namespace

extern const OpSpec kOp_mat_mul;
const OpSpec kOp_mat_mul{.name = "MatMul",
                         .domain = "",
                         .since = 1,
                         .doc =
                             "Products of matrices; axes before the last two are a batch and stretch (NumPy's rule). "
                             "A [..., M, K], B [..., K, N] -> Y [..., M, N]: Y[m, n] = sum over k of A[m, k] * B[k, n].",
                         .inputs = kInputs,
                         .outputs = kOutputs,
                         .attributes = {},
                         .infer = infer,
                         .reference = reference,
                         .examples = kExamples};

}  // namespace moru::model
