// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "model/ops/support/onnx_dtype.h"
#include "model/ops/support/quantization.h"
#include "model/ops/support/real.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {
    {"x", "floats or int32, any shape"},
    {"y_scale", "scalar, or [extent of axis], or one a block"},
    {"y_zero_point", "shaped as y_scale; its type is the output's: integers of 4, 8 or 16 bits, floats of 8; uint8 0", true}};
constexpr PortSpec kOutputs[] = {{"y", "as x, of the type of y_zero_point"}};
constexpr AttributeSpec kAttributes[] = {
    {"axis", AttributeKind::kInt, "the axis with a scale an index, when there are several; 1"},
    {"block_size", AttributeKind::kInt, "so many indices of axis share a scale, which has x's rank then; 0: no blocks"},
    {"output_dtype", AttributeKind::kInt, "ONNX's number of the output's type; that of y_zero_point"},
    {"saturate", AttributeKind::kInt, "0: a float of 8 bits that does not fit is infinite or NaN; 1"}};
constexpr OpExample kExamples[] = {{"Halves go to the even number; what does not fit saturates", R"(graph "quantize" {
  init x = float32[5] {0.5, 1.5, 2.5, -300, 300}
  init scale = float32[] {1}
  init zero = int8[] {0}
  y = QuantizeLinear(x, scale, zero)
  output y
})",
                                    "int8[5] {0, 2, 2, -128, 127}"},
                                   {"A scale a channel", R"(graph "channels" {
  init x = float32[2, 2] {1, 2, 1, 2}
  init scale = float32[2] {1, 0.5}
  init zero = uint8[2] {0, 10}
  y = QuantizeLinear(x, scale, zero) {axis = 0}
  output y
})",
                                    "uint8[2, 2] {1, 2, 12, 14}"},
                                   {"A type of 4 bits", R"(graph "int4" {
  init x = float32[3] {-9, 1, 9}
  init scale = float32[] {1}
  y = QuantizeLinear(x, scale) {output_dtype = 22}
  output y
})",
                                    "int4[3] {-8, 1, 7}"}};

/// The type that output_dtype names; nothing for 0, which leaves it to the zero point.
Result<std::optional<DType>> read_output_dtype(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t number, int_attribute(node, "output_dtype", 0));
  if (number == 0) return std::nullopt;
  MORU_ASSIGN_OR_RETURN(const DType dtype, ops::dtype_attribute(node, "output_dtype", DType::kUInt8));
  if (std::ranges::find(ops::kLevelTypes, dtype) != ops::kLevelTypes.end()) return dtype;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("attribute 'output_dtype': found {}, expected a type that stands for reals", to_string(dtype)));
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16, DType::kInt32}));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, ops::kReals));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 2, ops::kLevelTypes));
  MORU_ASSIGN_OR_RETURN(const auto wanted, read_output_dtype(context.node()));
  const auto zero = context.input(2).dtype;
  if (wanted && zero && *wanted != *zero)
    return ops::input_error(context, 2, fmt::format("found {}, expected {} as of output_dtype", to_string(*zero), to_string(*wanted)));
  const std::optional<DType> usual = context.has_input(2) ? zero : DType::kUInt8;
  return ops::infer_quantization(context, wanted ? wanted : usual);
}

/// Lowest and highest level of an integer type.
struct Bounds {
  std::int32_t low;
  std::int32_t high;
};
Bounds bounds_of(DType dtype) {
  switch (dtype) {
    case DType::kInt4: return {-8, 7};
    case DType::kUInt4: return {0, 15};
    case DType::kInt8: return {-128, 127};
    case DType::kInt16: return {-32768, 32767};
    case DType::kUInt16: return {0, 65535};
    default: return {0, 255};
  }
}

/// x / scale in float, or in double for float64.
template <class F>
Status for_each_quotient(const EvalContext& context, F visit) {
  MORU_ASSIGN_OR_RETURN(const ops::ScaleLayout layout, ops::scale_layout(context));
  MORU_ASSIGN_OR_RETURN(const Tensor scales, ops::to_float64(context.input(1)));
  const auto scale = scales.data<double>();
  return ops::for_dtype<float, double, Float16, BFloat16, std::int32_t>(context.input(0).dtype(), [&]<class T>() -> Status {
    using Real = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const auto x = context.input(0).data<T>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t s = layout.of(static_cast<std::int64_t>(i));
      visit(i, s, static_cast<double>(static_cast<Real>(x[i]) / static_cast<Real>(scale[s])));
    }
    return {};
  });
}

Status quantize_float8(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t saturate, int_attribute(context.node, "saturate", 1));
  Tensor& out = context.outputs[0];
  return ops::for_dtype<Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ>(out.dtype(), [&]<class Level>() {
    const auto y = out.mutable_data<Level>();
    return for_each_quotient(context, [&](std::size_t i, std::size_t, double quotient) {
      const auto value = static_cast<float>(quotient);
      y[i] = saturate != 0 ? Level::saturated(value) : Level(value);
    });
  });
}

Status reference(EvalContext& context) {
  Tensor& out = context.outputs[0];
  if (out.count() == 0) return {};
  if (ops::is_float8(out.dtype())) return quantize_float8(context);
  MORU_ASSIGN_OR_RETURN(const Tensor zeros, ops::levels_as_int32(context.has_input(2) ? context.input(2) : Tensor::scalar(std::int8_t{0})));
  const auto zero = zeros.data<std::int32_t>();
  const Bounds bounds = bounds_of(out.dtype());
  const DType whole = out.dtype() == DType::kInt4 ? DType::kInt8 : out.dtype() == DType::kUInt4 ? DType::kUInt8 : out.dtype();
  MORU_ASSIGN_OR_RETURN(Tensor levels, Tensor::create(whole, out.dims()));
  MORU_RETURN_IF_ERROR((ops::for_dtype<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t>(whole, [&]<class T>() {
    const auto y = levels.mutable_data<T>();
    return for_each_quotient(context, [&](std::size_t i, std::size_t s, double quotient) {
      // nearbyint rounds halves to even. NaN has no place on the scale; it becomes the zero point.
      const double offset = zero[zero.size() == 1 ? 0 : s];
      const double level = std::isnan(quotient) ? offset : std::nearbyint(quotient) + offset;
      y[i] = static_cast<T>(std::clamp(level, static_cast<double>(bounds.low), static_cast<double>(bounds.high)));
    });
  })));
  if (whole == out.dtype()) {
    out = std::move(levels);
    return {};
  }
  MORU_ASSIGN_OR_RETURN(out, pack_4bit(levels));
  return {};
}

/// Without output_dtype the zero point says the type.
Status output_dtype_to_zero_point(NodeRewrite& rewrite) {
  Node& node = rewrite.node;
  MORU_ASSIGN_OR_RETURN(const auto wanted, read_output_dtype(node));
  ops::drop_attribute(rewrite, "output_dtype");
  const bool has_zero = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
  if (has_zero || !wanted || *wanted == DType::kUInt8) return {};
  const Tensor* scale = rewrite.graph.initializer(node.inputs[1]);
  if (scale == nullptr) return ops::not_in_opset(rewrite, "output_dtype beside a computed scale");
  MORU_ASSIGN_OR_RETURN(Tensor zero, Tensor::create(*wanted, scale->dims()));
  node.inputs.resize(3, kNoValue);
  node.inputs[2] = ops::add_constant(rewrite, "zero_point", std::move(zero));
  return {};
}

Status downgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 21) return {};
  MORU_RETURN_IF_ERROR(output_dtype_to_zero_point(rewrite));
  const auto& inputs = rewrite.node.inputs;
  const bool has_zero = inputs.size() > 2 && inputs[2] != kNoValue;
  MORU_RETURN_IF_ERROR(ops::downgrade_quantization(rewrite, has_zero ? rewrite.graph.value(inputs[2]).type.dtype : DType::kUInt8));
  if (rewrite.opset < 19) ops::drop_attribute(rewrite, "saturate");
  return {};
}

}  // namespace

extern const OpSpec kOp_quantize_linear;
const OpSpec kOp_quantize_linear{
    .name = "QuantizeLinear",
    .domain = "",
    .since = 10,
    .doc = "Floats to small integers, any shape: y = saturate(round(x / y_scale) + y_zero_point), halves to even.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .downgrade = downgrade};

}  // namespace moru::model
