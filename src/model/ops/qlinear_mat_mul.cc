// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/integers.h"
#include "model/ops/support/matrix_product.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"a", "int8 or uint8, [..., M, K], or [K]"},
                                {"a_scale", "float32, a scalar or [M]"},
                                {"a_zero_point", "of a's type, shaped as a_scale"},
                                {"b", "int8 or uint8, [..., K, N], or [K]"},
                                {"b_scale", "float32, a scalar or [N]"},
                                {"b_zero_point", "of b's type, shaped as b_scale"},
                                {"y_scale", "float32, a scalar"},
                                {"y_zero_point", "int8 or uint8, a scalar; its type is the output's"}};
constexpr PortSpec kOutputs[] = {{"y", "as y_zero_point, [..., M, N]; M is left out when a is [K], N when b is [K]"}};
constexpr OpExample kExamples[] = {{"A row times two columns", R"(graph "qlinear_mat_mul" {
  init a = uint8[1, 2] {130, 126}
  init a_scale = float32[] {0.5}
  init a_zero = uint8[] {128}
  init b = int8[2, 2] {4, 1, 2, 8}
  init b_scale = float32[] {0.25}
  init b_zero = int8[] {0}
  init y_scale = float32[] {0.25}
  init y_zero = uint8[] {100}
  y = QLinearMatMul(a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero)
  output y
})",
                                    "uint8[1, 2] {102, 93}"}};

Status infer(InferContext& context) {
  for (const std::size_t i : {0U, 3U, 7U}) MORU_RETURN_IF_ERROR(ops::expect_dtype(context, i, ops::kBytes));
  for (const std::size_t i : {1U, 4U, 6U}) MORU_RETURN_IF_ERROR(ops::expect_dtype(context, i, ops::kFloatOnly));
  for (const std::size_t i : {6U, 7U}) MORU_RETURN_IF_ERROR(ops::expect_single(context, i));
  MORU_RETURN_IF_ERROR(ops::expect_same_dtype(context, 2, 0));
  MORU_RETURN_IF_ERROR(ops::expect_same_dtype(context, 5, 3));
  const auto inferred = ops::infer_matrix_product(context, 0, 3);
  if (!inferred) return fail(inferred.error());
  const std::optional<SymbolicShape>& shape = *inferred;
  for (const std::size_t i : {1U, 2U}) MORU_RETURN_IF_ERROR(ops::expect_zero_point_of_matrix(context, i, 0, true));
  for (const std::size_t i : {4U, 5U}) MORU_RETURN_IF_ERROR(ops::expect_zero_point_of_matrix(context, i, 3, false));
  context.set_output(0, {context.input(7).dtype, shape});
  return {};
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  const Tensor& a_zero = context.input(2);
  const Tensor& b_zero = context.input(5);
  MORU_ASSIGN_OR_RETURN(const Tensor a, ops::without_zero_point(context.input(0), &a_zero, ops::zero_dims_of_matrix(&a_zero, true)));
  MORU_ASSIGN_OR_RETURN(const Tensor b, ops::without_zero_point(context.input(3), &b_zero, ops::zero_dims_of_matrix(&b_zero, false)));
  const auto a_scale = context.input(1).data<float>();
  const auto b_scale = context.input(4).data<float>();
  const float y_scale = context.input(6).data<float>()[0];
  const std::int32_t zero = ops::zero_point_of(&context.input(7));
  const std::size_t columns = b.rank() == 1 ? 1 : static_cast<std::size_t>(b.dims().back());
  const std::size_t rows = a.rank() == 1 ? 1 : static_cast<std::size_t>(a.dims()[a.rank() - 2]);
  return ops::for_dtype<std::int8_t, std::uint8_t>(y.dtype(), [&]<class T>() -> Status {
    T* to = y.mutable_data<T>().data();
    std::size_t count = 0;
    ops::matrix_product<std::int32_t, std::int64_t>(a, b, y.dims(), [&](std::size_t column, std::int64_t sum) {
      const std::size_t row = count++ / columns % rows;
      const float factor =
          ops::requantize_factor(a_scale[a_scale.size() == 1 ? 0 : row], b_scale[b_scale.size() == 1 ? 0 : column], y_scale);
      *to++ = ops::requantize<T>(ops::wrap32(sum), factor, zero);
    });
    return {};
  });
}

std::optional<std::int64_t> macs(const InferContext& context) { return ops::matrix_product_macs(context, 0); }

}  // namespace

extern const OpSpec kOp_qlinear_mat_mul;
const OpSpec kOp_qlinear_mat_mul{
    .name = "QLinearMatMul",
    .domain = "",
    .since = 10,
    .doc =
        "MatMul of quantised tensors. a [..., M, K], b [..., K, N] -> y [..., M, N]: the sum of MatMulInteger times "
        "float32(a_scale[m] * b_scale[n] / y_scale), rounded (halves to even), plus y_zero_point, saturated.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .macs = macs};

}  // namespace moru::model
