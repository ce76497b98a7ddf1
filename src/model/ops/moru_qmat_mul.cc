// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/matrix_product.h"
#include "model/ops/support/quantized.h"

namespace moru::model {
namespace {

enum Input : std::size_t { kA, kAZero, kBMatrix, kBZero, kFactor, kYZero, kBias };
constexpr PortSpec kInputs[] = {{"a", "int8 or uint8, [..., M, K], or [K]"},
                                {"a_zero", "of a's type, a scalar"},
                                {"b", "int8 or uint8, [..., K, N], or [K]"},
                                {"b_zero", "of b's type, a scalar or [N]"},
                                {"factor", "float32, a scalar or [N]: a's scale * b's scale / y's scale"},
                                {"y_zero", "int8 or uint8, a scalar; its type is the output's"},
                                {"bias", "int32 [N], in steps of the sums; 0", true}};
constexpr PortSpec kOutputs[] = {{"y", "as y_zero, [..., M, N]; M is left out when a is [K], N when b is [K]"}};
constexpr AttributeSpec kAttributes[] = {ops::kHighLevel, ops::kLowLevel};
constexpr OpExample kExamples[] = {{"A factor a column, and a bias", R"(graph "qmat_mul" {
  init a = uint8[1, 2] {5, 6}
  init a_zero = uint8[] {4}
  init b = int8[2, 2] {1, 2, 3, 4}
  init b_zero = int8[] {0}
  init factor = float32[2] {0.5, 0.1}
  init y_zero = uint8[] {100}
  init bias = int32[2] {0, -30}
  y = moru::QMatMul(a, a_zero, b, b_zero, factor, y_zero, bias)
  output y
})",
                                    "uint8[1, 2] {104, 98}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_levels(context, kA, kAZero));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, kBMatrix, ops::kBytes));
  MORU_RETURN_IF_ERROR(ops::expect_same_dtype(context, kBZero, kBMatrix));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, kFactor, ops::kFloatOnly));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, kBias, {DType::kInt32}));
  const auto inferred = ops::infer_matrix_product(context, kA, kBMatrix);
  if (!inferred) return fail(inferred.error());
  const std::optional<SymbolicShape>& shape = *inferred;
  for (const std::size_t i : {std::size_t{kBZero}, std::size_t{kFactor}, std::size_t{kBias}})
    MORU_RETURN_IF_ERROR(ops::expect_zero_point_of_matrix(context, i, kBMatrix, false));
  return ops::set_levels_output(context, kYZero, shape);
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  const Tensor& b_zero = context.input(kBZero);
  MORU_ASSIGN_OR_RETURN(const Tensor a, ops::without_zero_point(context.input(kA), &context.input(kAZero), {}));
  MORU_ASSIGN_OR_RETURN(const Tensor b,
                        ops::without_zero_point(context.input(kBMatrix), &b_zero, ops::zero_dims_of_matrix(&b_zero, false)));
  const auto factor = context.input(kFactor).data<float>();
  const auto bias = context.has_input(kBias) ? context.input(kBias).data<std::int32_t>() : std::span<const std::int32_t>();
  MORU_ASSIGN_OR_RETURN(const ops::Levels levels, ops::levels_of(context, kYZero));
  return ops::for_dtype<std::int8_t, std::uint8_t>(y.dtype(), [&]<class T>() -> Status {
    T* to = y.mutable_data<T>().data();
    ops::matrix_product<std::int32_t, std::int64_t>(a, b, y.dims(), [&](std::size_t column, std::int64_t sum) {
      if (!bias.empty()) sum += bias[bias.size() == 1 ? 0 : column];
      *to++ = levels.nearest<T>(static_cast<float>(ops::wrap32(sum)) * factor[factor.size() == 1 ? 0 : column]);
    });
    return {};
  });
}

std::optional<std::int64_t> macs(const InferContext& context) { return ops::matrix_product_macs(context, kA); }

}  // namespace

extern const OpSpec kOp_moru_qmat_mul;
const OpSpec kOp_moru_qmat_mul{
    .name = "QMatMul",
    .domain = "moru",
    .since = 1,
    .doc =
        "MatMul (and Gemm) on levels, one multiplication a result. a [..., M, K], b [..., K, N] -> y [..., M, N]: "
        "y = clamp(round(float32(sum of (a - a_zero) * (b - b_zero) + bias) * factor[n]) + y_zero, low, high), the sum in int32, halves to "
        "even.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .macs = macs};

}  // namespace moru::model
