// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/tflite/support/convolution.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[N, H, W, C]"},
                                {"filter", "[1, kH, kW, O], a scale a channel if quantised"},
                                {"bias", "[O]; int32 beside 8 bits, int64 or int32 beside 16", true}};
constexpr PortSpec kOutputs[] = {{"output", "[N, H', W', O]"}};
constexpr AttributeSpec kAttributes[] = {
    {"padding", AttributeKind::kString, "SAME (as many places as the stride needs, zeros around) or VALID (no padding)"},
    {"stride_w", AttributeKind::kInt, "step along W"},
    {"stride_h", AttributeKind::kInt, "step along H"},
    {"depth_multiplier", AttributeKind::kInt, "output channels an input channel"},
    {"fused_activation_function", AttributeKind::kString, "what follows: NONE, RELU, RELU6 or RELU_N1_TO_1"},
    {"dilation_w_factor", AttributeKind::kInt, "distance of taps along W; 1"},
    {"dilation_h_factor", AttributeKind::kInt, "distance of taps along H; 1"}};
constexpr OpExample kExamples[] = {{"Each channel has its own factor", R"(graph "depthwise_conv_2d" {
  init x = float32[1, 1, 2, 2] {1, 2, 3, 4}
  init w = float32[1, 1, 1, 2] {10, -1}
  y: float32[1, 1, 2, 2] = tflite::DEPTHWISE_CONV_2D(x, w) {padding = "VALID", stride_h = 1, stride_w = 1, depth_multiplier = 1}
  output y
})",
                                    "float32[1, 1, 2, 2] {10, -2, 30, -4}"}};

using namespace tflite_ops;

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, layer_dtype(context));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 4, "[N, H, W, C]"));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 4, "[1, kH, kW, O]"));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 2, 1, "[O]"));
  MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, 0, Dim{1, {}}, "as there is one filter"));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* w = ops::shape_of(context, 1);
  const auto filter = w == nullptr ? std::nullopt : ops::known_dims(*w);
  SymbolicShape y(4);
  if (x != nullptr) y[0] = (*x)[0];
  if (filter) {
    y[3] = (*w)[3];
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 2, 0, y[3], "as the filter's channels"));
    MORU_ASSIGN_OR_RETURN(const Slides slides, slides_of(context.node(), (*filter)[1], (*filter)[2]));
    if (x != nullptr) {
      const Dim& channels = (*x)[3];
      if (channels.known() && (channels.value == 0 || (*filter)[3] % channels.value != 0))
        return ops::input_error(context, 1, fmt::format("found {} channels, expected a multiple of {}", (*filter)[3], channels.value));
      MORU_ASSIGN_OR_RETURN_IN("H", y[1], slides.h.places((*x)[1]));
      MORU_ASSIGN_OR_RETURN_IN("W", y[2], slides.w.places((*x)[2]));
    }
  }
  context.set_output(0, {dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Dims& x = context.input(0).dims();
  const Dims& w = context.input(1).dims();
  const Dims& y = context.outputs[0].dims();
  MORU_ASSIGN_OR_RETURN(const Slides slides, slides_of(context.node, w[1], w[2]));
  return run_layer(context, {x[0], x[1], x[2], x[3], y[1], y[2], y[3], 1, true, slides});
}

std::optional<std::int64_t> macs(const InferContext& context) {
  const SymbolicShape* w = ops::shape_of(context, 1);
  if (w == nullptr || w->size() != 4) return std::nullopt;
  return ops::macs_of(context, std::span(*w).subspan(1, 2));
}

}  // namespace

extern const OpSpec kOp_tflite_depthwise_conv_2d;
const OpSpec kOp_tflite_depthwise_conv_2d{
    .name = "DEPTHWISE_CONV_2D",
    .domain = "tflite",
    .since = 1,
    .doc =
        "A convolution in which each output channel reads one input channel. input [N, H, W, C], filter [1, kH, "
        "kW, O], O = C * multiplier -> output [N, H', W', O]: output channel o reads input channel o / multiplier.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .macs = macs};

}  // namespace moru::model
