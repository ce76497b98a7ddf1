// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"output_shape", "N, H', W', O; int32"},
                                {"weights", "[O, kH, kW, C], a scale a channel if quantised"},
                                {"input", "[N, H, W, C]"},
                                {"bias", "[O]; int32 beside 8 bits, int64 beside 16", true}};
constexpr PortSpec kOutputs[] = {{"output", "of output_shape"}};
constexpr AttributeSpec kAttributes[] = {
    {"padding", AttributeKind::kString, "SAME (as many places as the stride needs, zeros around) or VALID (no padding)"},
    {"stride_w", AttributeKind::kInt, "step along W"},
    {"stride_h", AttributeKind::kInt, "step along H"},
    {"fused_activation_function", AttributeKind::kString, "what follows: NONE, RELU, RELU6 or RELU_N1_TO_1"},
    {"quantized_bias_type", AttributeKind::kString, "element type of the bias beside 16-bit activations"}};
constexpr OpExample kExamples[] = {{"Each element becomes two", R"(graph "transpose_conv" {
  init s = int32[4] {1, 1, 4, 1}
  init w = float32[1, 1, 2, 1] {1, 10}
  init x = float32[1, 1, 2, 1] {1, 2}
  y: float32[1, 1, 4, 1] = tflite::TRANSPOSE_CONV(s, w, x) {padding = "VALID", stride_h = 1, stride_w = 2}
  output y
})",
                                    "float32[1, 1, 4, 1] {1, 10, 2, 20}"}};

using namespace tflite_ops;

/// The sums for each element of the output.
template <class Sum, class X, class W>
Result<std::vector<Sum>> sums_of(const EvalContext& context, Sum x_zero, Sum w_zero) {
  const Dims& w = context.input(1).dims();
  const Dims& x = context.input(2).dims();
  const Dims& y = context.outputs[0].dims();
  MORU_ASSIGN_OR_RETURN(const Slides slides, slides_of(context.node, w[1], w[2]));
  const std::int64_t top = slides.h.before(y[1], x[1]);
  const std::int64_t left = slides.w.before(y[2], x[2]);
  const auto weights = context.input(1).data<W>();
  const auto input = context.input(2).data<X>();
  std::vector<Sum> sums(static_cast<std::size_t>(context.outputs[0].count()), Sum{0});
  for (std::int64_t i = 0; i < x[0] * x[1] * x[2]; ++i) {
    const std::int64_t n = i / (x[1] * x[2]);
    const std::int64_t y0 = i / x[2] % x[1] * slides.h.stride - top;
    const std::int64_t x0 = i % x[2] * slides.w.stride - left;
    for (std::int64_t tap = 0; tap < w[1] * w[2]; ++tap) {
      const std::int64_t yy = y0 + tap / w[2];
      const std::int64_t xx = x0 + tap % w[2];
      if (yy < 0 || yy >= y[1] || xx < 0 || xx >= y[2]) continue;
      for (std::int64_t o = 0; o < y[3]; ++o) {
        Sum& sum = sums[static_cast<std::size_t>(((n * y[1] + yy) * y[2] + xx) * y[3] + o)];
        const auto by = static_cast<std::size_t>((o * w[1] * w[2] + tap) * w[3]);
        for (std::size_t c = 0; c < static_cast<std::size_t>(x[3]); ++c)
          sum += (static_cast<Sum>(input[static_cast<std::size_t>(i * x[3]) + c]) - x_zero) * (static_cast<Sum>(weights[by + c]) - w_zero);
      }
    }
  }
  return sums;
}

template <class X, class W>
Status run_integers(EvalContext& context) {
  const auto channels = static_cast<std::size_t>(context.outputs[0].dims()[3]);
  MORU_ASSIGN_OR_RETURN(const Rescale rescale, convolution_rescale(context, 2, 1, static_cast<std::int64_t>(channels), 0));
  if (!std::is_same_v<W, std::uint8_t> && rescale.weight_zero_point != 0)
    return fail(ErrorCode::kInvalidArgument, fmt::format("input 1: found zero point {}, expected 0", rescale.weight_zero_point));
  MORU_ASSIGN_OR_RETURN(auto sums, (sums_of<std::int64_t, X, W>(context, rescale.input_zero_point, rescale.weight_zero_point)));
  const auto y = context.outputs[0].mutable_data<X>();
  const bool wide = sizeof(X) == 2 && (!context.has_input(3) || context.input(3).dtype() == DType::kInt64);
  const auto bias = context.has_input(3) ? ops::to_ints(context.input(3)) : std::vector<std::int64_t>(channels, 0);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t channel = i % channels;
    sums[i] += bias[channel];
    const Multiplier& multiplier = rescale.multipliers[channel];
    const std::int64_t level =
        std::int64_t{wide ? scale_wide(sums[i], multiplier) : scale(static_cast<std::int32_t>(sums[i]), multiplier)} +
        rescale.output_zero_point;
    y[i] = static_cast<X>(std::clamp<std::int64_t>(level, rescale.range.first, rescale.range.second));
  }
  return {};
}

Status run_floats(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto range, float_range(context.node));
  MORU_ASSIGN_OR_RETURN(auto sums, (sums_of<double, float, float>(context, 0.0, 0.0)));
  const auto y = context.outputs[0].mutable_data<float>();
  const auto channels = static_cast<std::size_t>(context.outputs[0].dims()[3]);
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (context.has_input(3)) sums[i] += static_cast<double>(context.input(3).data<float>()[i % channels]);
    y[i] = std::clamp(static_cast<float>(sums[i]), range.first, range.second);
  }
  return {};
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 2, kReal));
  const auto x_type = context.input(2).dtype;
  const auto w_type = context.input(1).dtype;
  if (x_type && w_type && *w_type != (*x_type == DType::kInt16 ? DType::kInt8 : *x_type))
    return fail(ErrorCode::kUnsupported, fmt::format("input 1 (weights): found {} beside {}, expected its type, or int8 beside int16",
                                                     to_string(*w_type), to_string(*x_type)));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 3, {DType::kFloat32, DType::kInt32, DType::kInt64}));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 4, "[O, kH, kW, C]"));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 2, 4, "[N, H, W, C]"));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 3, 1, "[O]"));
  MORU_ASSIGN_OR_RETURN(const auto extents, ops::constant_indices(context, 0));
  context.set_output(0, {x_type, SymbolicShape(4)});
  if (!extents) return {};
  if (extents->size() != 4) return ops::input_error(context, 0, fmt::format("found {} numbers, expected 4", extents->size()));
  MORU_RETURN_IF_ERROR_IN(ops::input_label(context, 0), ops::check_extents(*extents, "extents"));
  const SymbolicShape y = ops::to_shape(*extents);
  MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, 0, y[3], "as the output's channels"));
  MORU_RETURN_IF_ERROR(ops::expect_extent(context, 2, 0, y[0], "as the output's batch"));
  MORU_RETURN_IF_ERROR(ops::expect_extent(context, 3, 0, y[3], "as the output's channels"));
  const SymbolicShape* w = ops::shape_of(context, 1);
  if (w != nullptr) MORU_RETURN_IF_ERROR(ops::expect_extent(context, 2, 3, (*w)[3], "as the weights' channels"));
  if (w != nullptr && (*w)[1].known() && (*w)[2].known()) {
    MORU_ASSIGN_OR_RETURN(const Slides slides, slides_of(context.node(), (*w)[1].value, (*w)[2].value));
    MORU_ASSIGN_OR_RETURN_IN("H", const Dim h, slides.h.places(y[1]));
    MORU_ASSIGN_OR_RETURN_IN("W", const Dim wide, slides.w.places(y[2]));
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 2, 1, h, "as the window's places on the output"));
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 2, 2, wide, "as the window's places on the output"));
  }
  context.set_output(0, {x_type, y});
  return {};
}

Status reference(EvalContext& context) {
  if (context.outputs[0].count() == 0) return {};
  switch (context.input(2).dtype()) {
    case DType::kInt8: return run_integers<std::int8_t, std::int8_t>(context);
    case DType::kUInt8: return run_integers<std::uint8_t, std::uint8_t>(context);
    case DType::kInt16: return run_integers<std::int16_t, std::int8_t>(context);
    default: return run_floats(context);
  }
}

}  // namespace

extern const OpSpec kOp_tflite_transpose_conv;
const OpSpec kOp_tflite_transpose_conv{
    .name = "TRANSPOSE_CONV",
    .domain = "tflite",
    .since = 1,
    .doc =
        "The gradient of a convolution: each input element adds its filter to the output. output_shape [4], "
        "weights [O, kH, kW, C], input [N, H, W, C] -> output [N, H', W', O], where H and W are the places of the "
        "window on H' and W'.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
