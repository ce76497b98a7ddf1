// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/pool.h"
#include "model/ops/support/quantized.h"

namespace moru::model {
namespace {

enum Input : std::size_t { kX, kXZero, kXScale, kYScale, kYZero };
constexpr PortSpec kInputs[] = {{"x", "int8 or uint8, [N, C, spatial...]"},
                                {"x_zero", "of x's type, a scalar"},
                                {"x_scale", "float32, a scalar"},
                                {"y_scale", "float32, a scalar"},
                                {"y_zero", "int8 or uint8, a scalar; its type is the output's"}};
constexpr PortSpec kOutputs[] = {{"y", "as y_zero, [N, C, spatial...]"}};
constexpr AttributeSpec kAttributes[] = {
    ops::kAutoPad,
    {"ceil_mode", AttributeKind::kInt, "1: a last window that is only partly inside counts too; 0"},
    {"count_include_pad", AttributeKind::kInt, "1: padding counts as zeros; 0: only real elements count; 0"},
    {"dilations", AttributeKind::kInts, "distance of the window's taps, one a spatial axis; 1"},
    ops::kHighLevel,
    {"kernel_shape", AttributeKind::kInts, "size of the window, one a spatial axis; the whole plane"},
    ops::kLowLevel,
    {"pads", AttributeKind::kInts, "padding before each spatial axis, then after each; 0"},
    ops::kStrides,
};
constexpr OpExample kExamples[] = {{"The mean of a plane in a finer scale", R"(graph "qaverage_pool" {
  init x = uint8[1, 1, 1, 4] {11, 12, 13, 15}
  init x_zero = uint8[] {10}
  init x_scale = float32[] {1}
  init y_scale = float32[] {0.5}
  init y_zero = uint8[] {0}
  y = moru::QAveragePool(x, x_zero, x_scale, y_scale, y_zero)
  output y
})",
                                    "uint8[1, 1, 1, 1] {6}"}};

bool is_global(const Node& node) { return !node.attributes.contains("kernel_shape"); }

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_levels(context, kX, kXZero));
  MORU_RETURN_IF_ERROR(ops::expect_factor(context, kXScale));
  MORU_RETURN_IF_ERROR(ops::expect_factor(context, kYScale));
  if (!is_global(context.node())) {
    MORU_RETURN_IF_ERROR(ops::infer_pool(context, ops::kBytes));
    return ops::set_levels_output(context, kYZero, context.outputs()[0].shape);
  }
  std::optional<SymbolicShape> shape = context.input(kX).shape;
  if (shape && shape->size() < 3)
    return ops::input_error(context, kX, fmt::format("found shape {}, expected [N, C, spatial...]", to_string(*shape)));
  if (shape) std::fill(shape->begin() + 2, shape->end(), Dim{1, {}});
  return ops::set_levels_output(context, kYZero, std::move(shape));
}

/// Sums and counts become levels.
struct Mean {
  double x_scale;
  double y_scale;
  ops::Levels levels;
  template <class T>
  T of(std::int64_t sum, std::int64_t count) const {
    if (count == 0) return levels.nearest<T>(0);
    const auto factor = static_cast<float>(x_scale / (y_scale * static_cast<double>(count)));
    return levels.nearest<T>(static_cast<float>(ops::wrap32(sum)) * factor);
  }
};

template <class T>
Status pool(EvalContext& context, std::span<const std::int32_t> x, const Mean& mean) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t include_pad, int_attribute(context.node, "count_include_pad", 0));
  const auto y = context.outputs[0].mutable_data<T>();
  if (is_global(context.node)) {
    const auto size = static_cast<std::size_t>(ops::product_of(std::span(context.input(kX).dims()).subspan(2)));
    for (std::size_t plane = 0; plane < y.size(); ++plane) {
      std::int64_t sum = 0;
      for (const std::int32_t value : x.subspan(plane * size, size)) sum += value;
      y[plane] = mean.of<T>(sum, static_cast<std::int64_t>(size));
    }
    return {};
  }
  return ops::visit_pool(context, [&](std::int64_t plane, std::int64_t at, std::span<const std::int64_t> inside, std::int64_t padding) {
    std::int64_t sum = 0;
    for (const std::int64_t offset : inside) sum += x[static_cast<std::size_t>(plane + offset)];
    y[static_cast<std::size_t>(at)] = mean.of<T>(sum, std::ssize(inside) + (include_pad != 0 ? padding : 0));
  });
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const ops::Levels levels, ops::levels_of(context, kYZero));
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::without_zero_point(context.input(kX), &context.input(kXZero), {}));
  const Mean mean{static_cast<double>(context.input(kXScale).data<float>()[0]),
                  static_cast<double>(context.input(kYScale).data<float>()[0]), levels};
  return ops::for_dtype<std::int8_t, std::uint8_t>(context.outputs[0].dtype(),
                                                   [&]<class T>() { return pool<T>(context, x.data<std::int32_t>(), mean); });
}

}  // namespace

extern const OpSpec kOp_moru_qaverage_pool;
const OpSpec kOp_moru_qaverage_pool{
    .name = "QAveragePool",
    .domain = "moru",
    .since = 1,
    .doc =
        "AveragePool (and GlobalAveragePool) on levels. x [N, C, spatial...] -> y [N, C, spatial...]: y = clamp(round(float32(sum of (x - "
        "x_zero)) * float32(x_scale / (y_scale * count))) + y_zero, low, high), the sum in int32, halves to even.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
