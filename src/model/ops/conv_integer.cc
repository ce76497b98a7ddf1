// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/convolution.h"
#include "model/ops/support/integers.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "int8 or uint8, [N, C, spatial...]"},
                                {"w", "int8 or uint8, [O, C/group, kernel...]"},
                                {"x_zero_point", "of x's type, a scalar; 0", true},
                                {"w_zero_point", "of w's type, a scalar or [O]; 0", true}};
constexpr PortSpec kOutputs[] = {{"y", "int32, [N, O, spatial...]"}};
constexpr AttributeSpec kAttributes[] = {
    ops::kAutoPad,
    ops::kDilations,
    ops::kGroup,
    {"kernel_shape", AttributeKind::kInts, "must be w's; taken from w when left out"},
    {"pads", AttributeKind::kInts, "padding (of the zero point) before each spatial axis, then after each; 0"},
    ops::kStrides,
};
constexpr OpExample kExamples[] = {{"Sums of exact integers", R"(graph "conv_integer" {
  init x = uint8[1, 1, 3, 3] {2, 3, 4, 5, 6, 7, 8, 9, 10}
  init w = uint8[1, 1, 2, 2] {1, 1, 1, 1}
  init zero = uint8[] {1}
  y = ConvInteger(x, w, zero)
  output y
})",
                                    "int32[1, 1, 2, 2] {12, 16, 24, 28}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kBytes));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, ops::kBytes));
  MORU_RETURN_IF_ERROR(ops::expect_same_dtype(context, 2, 0));
  MORU_RETURN_IF_ERROR(ops::expect_same_dtype(context, 3, 1));
  MORU_RETURN_IF_ERROR(ops::expect_single(context, 2));
  const auto inferred = ops::infer_convolution(context, 0, 1, std::nullopt);
  if (!inferred) return fail(inferred.error());
  const std::optional<SymbolicShape>& shape = *inferred;
  if (shape) MORU_RETURN_IF_ERROR(ops::expect_single_or(context, 3, (*shape)[1], "an entry an output channel"));
  context.set_output(0, {DType::kInt32, shape});
  return {};
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const auto convolution,
                        ops::read_convolution(context.node, context.input(0).dims(), context.input(1).dims(), y.dims()));
  const Tensor* x_zero = context.has_input(2) ? &context.input(2) : nullptr;
  const Tensor* w_zero = context.has_input(3) ? &context.input(3) : nullptr;
  Dims w_zero_dims(context.input(1).rank(), 1);
  if (w_zero != nullptr) w_zero_dims[0] = w_zero->count();
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::without_zero_point(context.input(0), x_zero, {}));
  MORU_ASSIGN_OR_RETURN(const Tensor w, ops::without_zero_point(context.input(1), w_zero, std::move(w_zero_dims)));
  std::int32_t* to = y.mutable_data<std::int32_t>().data();
  ops::convolve<std::int64_t>(
      convolution, x.data<std::int32_t>(), w.data<std::int32_t>(), [](std::size_t) { return std::int64_t{0}; },
      [&](std::size_t, std::span<const std::int64_t> sums) { to = std::ranges::transform(sums, to, ops::wrap32).out; });
  return {};
}

std::optional<std::int64_t> macs(const InferContext& context) { return ops::convolution_macs(context, 1); }

}  // namespace

extern const OpSpec kOp_conv_integer;
const OpSpec kOp_conv_integer{
    .name = "ConvInteger",
    .domain = "",
    .since = 10,
    .doc =
        "Conv on integers: x [N, C, spatial...], w [O, C/group, kernel...] -> y [N, O, spatial...]: y[n, o, p] = sum over c, k of "
        "(w[o, c, k] - w_zero_point) * (x[n, c, p * stride - pad + k * dilation] - x_zero_point), exact in 32 bits.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .macs = macs};

}  // namespace moru::model
