// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/tflite/support/convolution.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "its last axes hold I elements a row"},
                                {"weights", "[O, I]"},
                                {"bias", "[O]; int32 beside 8 bits, int64 or int32 beside 16", true}};
constexpr PortSpec kOutputs[] = {{"output", "[batch, O], or the input's leading axes and O"}};
constexpr AttributeSpec kAttributes[] = {
    {"fused_activation_function", AttributeKind::kString, "what follows: NONE, RELU, RELU6 or RELU_N1_TO_1"},
    {"weights_format", AttributeKind::kString, "DEFAULT"},
    {"keep_num_dims", AttributeKind::kInt, "1: the leading axes stay; 0: they become one"},
    {"asymmetric_quantize_inputs", AttributeKind::kInt,
     "beside float inputs and 8-bit weights: 1: inputs become 8 bits from their least to their largest element; 0: symmetric"},
    {"quantized_bias_type", AttributeKind::kString, "element type of the bias beside 16-bit activations"}};
constexpr OpExample kExamples[] = {{"Two rows", R"(graph "fully_connected" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init w = float32[1, 2] {10, 1}
  init b = float32[1] {0.5}
  y: float32[2, 1] = tflite::FULLY_CONNECTED(x, w, b)
  output y
})",
                                    "float32[2, 1] {12.5, 34.5}"}};

using namespace tflite_ops;

/// How many rows of `width` elements x has.
Result<Dim> batch_of(const InferContext& context, const SymbolicShape& x, const Dim& width) {
  if (x.size() == 2 && width.known() && x[1] == width) return x[0];
  MORU_ASSIGN_OR_RETURN(const Dim elements, ops::product(x));
  if (!elements.known() || !width.known()) return Dim{};
  if (width.value > 0 && elements.value % width.value == 0) return Dim{elements.value / width.value, {}};
  return ops::input_error(context, 0, fmt::format("found {} elements, expected rows of {}", elements.value, width.value));
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, layer_dtype(context));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 2, "[O, I]"));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 2, 1, "[O]"));
  MORU_ASSIGN_OR_RETURN(const std::string format, string_attribute(context.node(), "weights_format", "DEFAULT"));
  if (format != "DEFAULT")
    return fail(ErrorCode::kUnsupported, fmt::format("attribute 'weights_format': found '{:.40}', expected DEFAULT", format));
  MORU_ASSIGN_OR_RETURN(const std::int64_t keep, int_attribute(context.node(), "keep_num_dims", 0));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* w = ops::shape_of(context, 1);
  context.set_output(0, {dtype, std::nullopt});
  if (x == nullptr || w == nullptr) return {};
  MORU_RETURN_IF_ERROR(ops::expect_extent(context, 2, 0, (*w)[0], "as the weights' outputs"));
  if (keep != 0) {
    if (x->empty()) return ops::input_error(context, 0, "found a scalar, expected at least one axis");
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 0, x->size() - 1, (*w)[1], "as the weights"));
    SymbolicShape y = *x;
    y.back() = (*w)[0];
    context.set_output(0, {dtype, std::move(y)});
    return {};
  }
  MORU_ASSIGN_OR_RETURN(Dim batch, batch_of(context, *x, (*w)[1]));
  context.set_output(0, {dtype, SymbolicShape{std::move(batch), (*w)[0]}});
  return {};
}

Status reference(EvalContext& context) {
  const Dims& w = context.input(1).dims();
  Layer layer;
  layer.c = layer.depth = w[1];
  layer.out_c = w[0];
  layer.batch = layer.c == 0 ? 0 : context.input(0).count() / layer.c;
  return run_layer(context, layer);
}

std::optional<std::int64_t> macs(const InferContext& context) {
  const SymbolicShape* w = ops::shape_of(context, 1);
  if (w == nullptr || w->size() != 2) return std::nullopt;
  return ops::macs_of(context, std::span(*w).subspan(1));
}

}  // namespace

extern const OpSpec kOp_tflite_fully_connected;
const OpSpec kOp_tflite_fully_connected{
    .name = "FULLY_CONNECTED",
    .domain = "tflite",
    .since = 1,
    .doc =
        "A dense layer. input [..., I] seen as [batch, I], weights [O, I] -> output [batch, O], or [..., O] with "
        "keep_num_dims: output = activation(input * weights^T + bias).",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .macs = macs};

}  // namespace moru::model
