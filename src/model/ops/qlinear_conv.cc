// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/convolution.h"
#include "model/ops/support/integers.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "int8 or uint8, [N, C, spatial...]"},
                                {"x_scale", "float32, a scalar"},
                                {"x_zero_point", "of x's type, a scalar"},
                                {"w", "int8 or uint8, [O, C/group, kernel...]"},
                                {"w_scale", "float32, a scalar or [O]"},
                                {"w_zero_point", "of w's type, a scalar or [O]"},
                                {"y_scale", "float32, a scalar"},
                                {"y_zero_point", "int8 or uint8, a scalar; its type is the output's"},
                                {"B", "int32 [O], in steps of x_scale * w_scale", true}};
constexpr PortSpec kOutputs[] = {{"y", "as y_zero_point, [N, O, spatial...]"}};
constexpr AttributeSpec kAttributes[] = {
    ops::kAutoPad,
    ops::kDilations,
    ops::kGroup,
    {"kernel_shape", AttributeKind::kInts, "must be w's; taken from w when left out"},
    {"pads", AttributeKind::kInts, "padding (of the zero point) before each spatial axis, then after each; 0"},
    ops::kStrides,
};
constexpr OpExample kExamples[] = {{"Halves go to the even level", R"(graph "qlinear_conv" {
  init x = uint8[1, 1, 1, 3] {3, 4, 5}
  init x_scale = float32[] {0.5}
  init x_zero = uint8[] {2}
  init w = int8[1, 1, 1, 1] {2}
  init w_scale = float32[1] {0.25}
  init w_zero = int8[1] {1}
  init y_scale = float32[] {0.25}
  init y_zero = int8[] {10}
  y = QLinearConv(x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero)
  output y
})",
                                    "int8[1, 1, 1, 3] {10, 11, 12}"}};

Status infer(InferContext& context) {
  for (const std::size_t i : {0U, 3U, 7U}) MORU_RETURN_IF_ERROR(ops::expect_dtype(context, i, ops::kBytes));
  for (const std::size_t i : {1U, 4U, 6U}) MORU_RETURN_IF_ERROR(ops::expect_dtype(context, i, ops::kFloatOnly));
  for (const std::size_t i : {1U, 2U, 6U, 7U}) MORU_RETURN_IF_ERROR(ops::expect_single(context, i));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 8, {DType::kInt32}));
  MORU_RETURN_IF_ERROR(ops::expect_same_dtype(context, 2, 0));
  MORU_RETURN_IF_ERROR(ops::expect_same_dtype(context, 5, 3));
  const auto inferred = ops::infer_convolution(context, 0, 3, 8);
  if (!inferred) return fail(inferred.error());
  const std::optional<SymbolicShape>& shape = *inferred;
  for (const std::size_t i : {4U, 5U}) {
    if (shape) MORU_RETURN_IF_ERROR(ops::expect_single_or(context, i, (*shape)[1], "an entry an output channel"));
  }
  context.set_output(0, {context.input(7).dtype, shape});
  return {};
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const auto convolution,
                        ops::read_convolution(context.node, context.input(0).dims(), context.input(3).dims(), y.dims()));
  Dims w_zero_dims(context.input(3).rank(), 1);
  w_zero_dims[0] = context.input(5).count();
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::without_zero_point(context.input(0), &context.input(2), {}));
  MORU_ASSIGN_OR_RETURN(const Tensor w, ops::without_zero_point(context.input(3), &context.input(5), std::move(w_zero_dims)));
  const float x_scale = context.input(1).data<float>()[0];
  const auto w_scale = context.input(4).data<float>();
  const float y_scale = context.input(6).data<float>()[0];
  const auto bias = context.has_input(8) ? context.input(8).data<std::int32_t>() : std::span<const std::int32_t>();
  const std::int32_t zero = ops::zero_point_of(&context.input(7));
  return ops::for_dtype<std::int8_t, std::uint8_t>(y.dtype(), [&]<class T>() -> Status {
    T* to = y.mutable_data<T>().data();
    ops::convolve<std::int64_t>(
        convolution, x.data<std::int32_t>(), w.data<std::int32_t>(),
        [&](std::size_t o) { return bias.empty() ? std::int64_t{0} : std::int64_t{bias[o]}; },
        [&](std::size_t o, std::span<const std::int64_t> sums) {
          const float factor = ops::requantize_factor(x_scale, w_scale[w_scale.size() == 1 ? 0 : o], y_scale);
          for (const std::int64_t sum : sums) *to++ = ops::requantize<T>(ops::wrap32(sum), factor, zero);
        });
    return {};
  });
}

std::optional<std::int64_t> macs(const InferContext& context) { return ops::convolution_macs(context, 3); }

}  // namespace

extern const OpSpec kOp_qlinear_conv;
const OpSpec kOp_qlinear_conv{.name = "QLinearConv",
                              .domain = "",
                              .since = 10,
                              .doc =
                                  "Conv of quantised tensors. x [N, C, spatial...], w [O, C/group, kernel...] -> y [N, O, spatial...]: the "
                                  "sum of ConvInteger plus B, "
                                  "times float32(x_scale * w_scale / y_scale), rounded (halves to even), plus y_zero_point, saturated.",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attributes = kAttributes,
                              .infer = infer,
                              .reference = reference,
                              .examples = kExamples,
                              .macs = macs};

}  // namespace moru::model
