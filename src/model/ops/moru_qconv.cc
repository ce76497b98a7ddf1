// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/convolution.h"
#include "model/ops/support/quantized.h"

namespace moru::model {
namespace {

enum Input : std::size_t { kX, kXZero, kW, kWZero, kFactor, kYZero, kB };
constexpr PortSpec kInputs[] = {{"x", "int8 or uint8, [N, C, spatial...]"},
                                {"x_zero", "of x's type, a scalar"},
                                {"w", "int8 or uint8, [O, C/group, kernel...]"},
                                {"w_zero", "of w's type, a scalar or [O]"},
                                {"factor", "float32, a scalar or [O]: x's scale * w's scale / y's scale"},
                                {"y_zero", "int8 or uint8, a scalar; its type is the output's"},
                                {"B", "int32 [O], in steps of the sums; 0", true}};
constexpr PortSpec kOutputs[] = {{"y", "as y_zero, [N, O, spatial...]"}};
constexpr AttributeSpec kAttributes[] = {
    ops::kAutoPad,
    ops::kDilations,
    ops::kGroup,
    ops::kHighLevel,
    {"kernel_shape", AttributeKind::kInts, "must be w's; taken from w when left out"},
    ops::kLowLevel,
    {"pads", AttributeKind::kInts, "padding (of x_zero) before each spatial axis, then after each; 0"},
    ops::kStrides,
};
constexpr OpExample kExamples[] = {{"A Relu is the lowest level", R"(graph "qconv" {
  init x = uint8[1, 1, 1, 4] {0, 4, 5, 6}
  init x_zero = uint8[] {4}
  init w = int8[1, 1, 1, 1] {3}
  init w_zero = int8[] {0}
  init factor = float32[] {0.5}
  init y_zero = int8[] {-10}
  y = moru::QConv(x, x_zero, w, w_zero, factor, y_zero) {low = -10}
  output y
})",
                                    "int8[1, 1, 1, 4] {-10, -10, -8, -7}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_levels(context, kX, kXZero));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, kW, ops::kBytes));
  MORU_RETURN_IF_ERROR(ops::expect_same_dtype(context, kWZero, kW));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, kFactor, ops::kFloatOnly));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, kB, {DType::kInt32}));
  const auto inferred = ops::infer_convolution(context, kX, kW, kB);
  if (!inferred) return fail(inferred.error());
  const std::optional<SymbolicShape>& shape = *inferred;
  for (const std::size_t i : {std::size_t{kWZero}, std::size_t{kFactor}}) {
    if (shape) MORU_RETURN_IF_ERROR(ops::expect_single_or(context, i, (*shape)[1], "an entry an output channel"));
  }
  return ops::set_levels_output(context, kYZero, shape);
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const auto convolution,
                        ops::read_convolution(context.node, context.input(kX).dims(), context.input(kW).dims(), y.dims()));
  Dims w_zero_dims(context.input(kW).rank(), 1);
  w_zero_dims[0] = context.input(kWZero).count();
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::without_zero_point(context.input(kX), &context.input(kXZero), {}));
  MORU_ASSIGN_OR_RETURN(const Tensor w, ops::without_zero_point(context.input(kW), &context.input(kWZero), std::move(w_zero_dims)));
  const auto factor = context.input(kFactor).data<float>();
  const auto bias = context.has_input(kB) ? context.input(kB).data<std::int32_t>() : std::span<const std::int32_t>();
  MORU_ASSIGN_OR_RETURN(const ops::Levels levels, ops::levels_of(context, kYZero));
  return ops::for_dtype<std::int8_t, std::uint8_t>(y.dtype(), [&]<class T>() -> Status {
    T* to = y.mutable_data<T>().data();
    ops::convolve<std::int64_t>(
        convolution, x.data<std::int32_t>(), w.data<std::int32_t>(),
        [&](std::size_t o) { return bias.empty() ? std::int64_t{0} : std::int64_t{bias[o]}; },
        [&](std::size_t o, std::span<const std::int64_t> sums) {
          const float step = factor[factor.size() == 1 ? 0 : o];
          for (const std::int64_t sum : sums) *to++ = levels.nearest<T>(static_cast<float>(ops::wrap32(sum)) * step);
        });
    return {};
  });
}

std::optional<std::int64_t> macs(const InferContext& context) { return ops::convolution_macs(context, kW); }

}  // namespace

extern const OpSpec kOp_moru_qconv;
const OpSpec kOp_moru_qconv{
    .name = "QConv",
    .domain = "moru",
    .since = 1,
    .doc =
        "Conv on levels, one multiplication a result. x [N, C, spatial...], w [O, C/group, kernel...] -> y [N, O, spatial...]: "
        "y = clamp(round(float32(sum of (x - x_zero) * (w - w_zero) + B) * factor[o]) + y_zero, low, high), the sum in int32, halves to "
        "even.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .macs = macs};

}  // namespace moru::model
