// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/integers.h"
#include "model/ops/support/matrix_product.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"A", "int8 or uint8, [..., M, K], or [K]"},
                                {"B", "int8 or uint8, [..., K, N], or [K]"},
                                {"a_zero_point", "of A's type, a scalar or [M]; 0", true},
                                {"b_zero_point", "of B's type, a scalar or [N]; 0", true}};
constexpr PortSpec kOutputs[] = {{"Y", "int32, [..., M, N]; M is left out when A is [K], N when B is [K]"}};
constexpr OpExample kExamples[] = {{"Zero points come off before the product", R"(graph "mat_mul_integer" {
  init a = uint8[1, 2] {11, 7}
  init b = uint8[2, 2] {1, 4, 2, 5}
  init zero = uint8[] {12}
  y = MatMulInteger(a, b, zero)
  output y
})",
                                    "int32[1, 2] {-11, -29}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kBytes));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, ops::kBytes));
  MORU_RETURN_IF_ERROR(ops::expect_same_dtype(context, 2, 0));
  MORU_RETURN_IF_ERROR(ops::expect_same_dtype(context, 3, 1));
  const auto inferred = ops::infer_matrix_product(context, 0, 1);
  if (!inferred) return fail(inferred.error());
  const std::optional<SymbolicShape>& shape = *inferred;
  MORU_RETURN_IF_ERROR(ops::expect_zero_point_of_matrix(context, 2, 0, true));
  MORU_RETURN_IF_ERROR(ops::expect_zero_point_of_matrix(context, 3, 1, false));
  context.set_output(0, {DType::kInt32, shape});
  return {};
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  const Tensor* a_zero = context.has_input(2) ? &context.input(2) : nullptr;
  const Tensor* b_zero = context.has_input(3) ? &context.input(3) : nullptr;
  MORU_ASSIGN_OR_RETURN(const Tensor a, ops::without_zero_point(context.input(0), a_zero, ops::zero_dims_of_matrix(a_zero, true)));
  MORU_ASSIGN_OR_RETURN(const Tensor b, ops::without_zero_point(context.input(1), b_zero, ops::zero_dims_of_matrix(b_zero, false)));
  std::int32_t* to = y.mutable_data<std::int32_t>().data();
  ops::matrix_product<std::int32_t, std::int64_t>(a, b, y.dims(), [&](std::size_t, std::int64_t sum) { *to++ = ops::wrap32(sum); });
  return {};
}

std::optional<std::int64_t> macs(const InferContext& context) { return ops::matrix_product_macs(context, 0); }

}  // namespace

extern const OpSpec kOp_mat_mul_integer;
const OpSpec kOp_mat_mul_integer{.name = "MatMulInteger",
                                 .domain = "",
                                 .since = 10,
                                 .doc =
                                     "MatMul on integers. A [..., M, K], B [..., K, N] -> Y [..., M, N]: Y[m, n] = sum over k of "
                                     "(A[m, k] - a_zero_point[m]) * (B[k, n] - b_zero_point[n]), exact in 32 bits.",
                                 .inputs = kInputs,
                                 .outputs = kOutputs,
                                 .attributes = {},
                                 .infer = infer,
                                 .reference = reference,
                                 .examples = kExamples,
                                 .macs = macs};

}  // namespace moru::model
