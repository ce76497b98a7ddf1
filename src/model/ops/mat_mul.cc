// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/support/broadcast.h"
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
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kNumbers));
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

template <class T>
void multiply(const Tensor& a, const Tensor& b, Tensor& y) {
  const Dims a_dims = as_matrix(a.dims(), true, std::int64_t{1});
  const Dims b_dims = as_matrix(b.dims(), false, std::int64_t{1});
  const std::int64_t rows = a_dims[a_dims.size() - 2];
  const std::int64_t depth = a_dims.back();
  const std::int64_t columns = b_dims.back();
  const std::size_t matrix_axes = (a.rank() > 1 ? 1U : 0U) + (b.rank() > 1 ? 1U : 0U);
  const auto batch = std::span(y.dims()).first(y.rank() - matrix_axes);
  const auto a_batch = std::span(a_dims).first(a_dims.size() - 2);
  const auto b_batch = std::span(b_dims).first(b_dims.size() - 2);
  std::vector<ops::Wide<T>> sum(static_cast<std::size_t>(columns));
  T* to = y.mutable_data<T>().data();
  ops::walk_broadcast<2>({a_batch, b_batch}, batch, [&](std::size_t /*i*/, const auto& at) {
    const ops::MatrixView<T> left{a.data<T>().data() + static_cast<std::int64_t>(at[0]) * rows * depth, depth, 1};
    const ops::MatrixView<T> right{b.data<T>().data() + static_cast<std::int64_t>(at[1]) * depth * columns, columns, 1};
    for (std::int64_t i = 0; i < rows; ++i) {
      std::ranges::fill(sum, ops::Wide<T>{0});
      ops::add_row_product<T>(left, right, i, depth, sum);
      for (const auto value : sum) *to++ = ops::narrow<T>(value);
    }
  });
}

Status reference(EvalContext& context) {
  if (context.outputs[0].count() == 0) return {};
  return ops::for_number_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    multiply<T>(context.input(0), context.input(1), context.outputs[0]);
    return {};
  });
}

std::optional<std::int64_t> macs(const InferContext& context) {
  const SymbolicShape* a = ops::shape_of(context, 0);
  if (a == nullptr || a->empty()) return std::nullopt;
  return ops::macs_of(context, std::span<const Dim>(*a).last(1));
}

}  // namespace

extern const OpSpec kOp_mat_mul;
const OpSpec kOp_mat_mul{.name = "MatMul",
                         .domain = "",
                         .since = 1,
                         .doc =
                             "Products of matrices; axes before the last two are a batch and stretch (NumPy's rule). "
                             "A [..., M, K], B [..., K, N] -> Y [..., M, N]: Y[m, n] = sum over k of A[m, k] * B[k, n]. "
                             "Integers wrap around.",
                         .inputs = kInputs,
                         .outputs = kOutputs,
                         .attributes = {},
                         .infer = infer,
                         .reference = reference,
                         .examples = kExamples,
                         .macs = macs};

}  // namespace moru::model
