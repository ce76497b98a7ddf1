// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "model/ops/support/indices.h"
#include "model/ops/support/integers.h"
#include "model/ops/support/matrix_product.h"
#include "model/ops/support/real.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {
    {"a", "int8 or uint8, [..., M, K], or [K]"},        {"a_scale", "float32, float16 or bfloat16, a scalar or [M]"},
    {"a_zero_point", "of a's type, shaped as a_scale"}, {"b", "int8 or uint8, [..., K, N], or [K]"},
    {"b_scale", "of a_scale's type, a scalar or [N]"},  {"b_zero_point", "of b's type, shaped as b_scale"},
    {"y_scale", "of a_scale's type, a scalar"},         {"y_zero_point", "int8 or uint8, a scalar; its type is the output's"}};
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
                                    "uint8[1, 2] {102, 93}"},
                                   {"Scales of 16 bits", R"(graph "qlinear_mat_mul_half" {
  opset 22
  init a = int8[1, 1] {10}
  init b = int8[1, 1] {7}
  init scale = float16[] {0.5}
  init zero = int8[] {0}
  y = QLinearMatMul(a, scale, zero, b, scale, zero, scale, zero)
  output y
})",
                                    "int8[1, 1] {35}"}};

/// Opset 21 added those of 16 bits.
constexpr std::initializer_list<DType> kScales = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};

Status infer(InferContext& context) {
  for (const std::size_t i : {0U, 3U, 7U}) MORU_RETURN_IF_ERROR(ops::expect_dtype(context, i, ops::kBytes));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, kScales));
  for (const std::size_t i : {4U, 6U}) MORU_RETURN_IF_ERROR(ops::expect_same_dtype(context, i, 1));
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

/// Exact: every type of scales is part of float32.
Result<std::vector<float>> to_floats(const Tensor& scales) {
  MORU_ASSIGN_OR_RETURN(const Tensor wide, ops::to_float64(scales));
  std::vector<float> floats;
  for (const double scale : wide.data<double>()) floats.push_back(static_cast<float>(scale));
  return floats;
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  const Tensor& a_zero = context.input(2);
  const Tensor& b_zero = context.input(5);
  MORU_ASSIGN_OR_RETURN(const Tensor a, ops::without_zero_point(context.input(0), &a_zero, ops::zero_dims_of_matrix(&a_zero, true)));
  MORU_ASSIGN_OR_RETURN(const Tensor b, ops::without_zero_point(context.input(3), &b_zero, ops::zero_dims_of_matrix(&b_zero, false)));
  MORU_ASSIGN_OR_RETURN(const std::vector<float> a_scale, to_floats(context.input(1)));
  MORU_ASSIGN_OR_RETURN(const std::vector<float> b_scale, to_floats(context.input(4)));
  MORU_ASSIGN_OR_RETURN(const std::vector<float> y_scales, to_floats(context.input(6)));
  const float y_scale = y_scales[0];
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

Status downgrade(NodeRewrite& rewrite) {
  const ValueId scale = ops::input_of(rewrite, 1);
  if (rewrite.opset >= 21 || scale == kNoValue) return {};
  if (rewrite.graph.value(scale).type.dtype == DType::kFloat32) return {};
  return ops::not_in_opset(rewrite, "scales of 16 bits");
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
    .downgrade = downgrade,
    .macs = macs};

}  // namespace moru::model
