// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/quantized.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "model/ops/support/loops.h"

namespace moru::model::tflite_ops {
namespace {

std::unexpected<Error> refuse(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

Status check_scales(const Quantization& quantization) {
  for (const float scale : quantization.scales) {
    if (!std::isfinite(scale) || scale <= 0) return refuse(fmt::format("found scale {}, expected one above 0", scale));
  }
  if (quantization.scales.empty() || quantization.scales.size() != quantization.zero_points.size())
    return refuse(fmt::format("found {} scales and {} zero points, expected as many, at least one", quantization.scales.size(),
                              quantization.zero_points.size()));
  return {};
}

Result<Scale> scale_of(std::span<const ValueType> types, std::size_t index) {
  if (index >= types.size() || !types[index].quantization) return refuse("found no quantization, expected a scale and a zero point");
  const Quantization& quantization = *types[index].quantization;
  MORU_RETURN_IF_ERROR(check_scales(quantization));
  if (quantization.scales.size() != 1) return refuse(fmt::format("found {} scales, expected one", quantization.scales.size()));
  return Scale{quantization.scales[0], static_cast<std::int32_t>(quantization.zero_points[0])};
}

/// Where a real stands on the output's scale.
std::int64_t stored(float real, const Scale& output) {
  const float quotient = std::round(real / output.scale);
  return output.zero_point + static_cast<std::int64_t>(std::clamp(quotient, -2147483648.0F, 2147483520.0F));
}

}  // namespace

Result<Scale> input_scale(const EvalContext& context, std::size_t index) {
  MORU_ASSIGN_OR_RETURN_IN(fmt::format("input {}", index), const Scale scale, scale_of(context.input_types, index));
  return scale;
}

Result<Scale> output_scale(const EvalContext& context, std::size_t index) {
  MORU_ASSIGN_OR_RETURN_IN(fmt::format("output {}", index), const Scale scale, scale_of(context.output_types, index));
  return scale;
}

Result<std::vector<float>> input_scales(const EvalContext& context, std::size_t index, std::int64_t count, std::int32_t axis) {
  const auto where = fmt::format("input {}", index);
  if (index >= context.input_types.size() || !context.input_types[index].quantization)
    return refuse(where + ": found no quantization, expected scales");
  const Quantization& quantization = *context.input_types[index].quantization;
  MORU_RETURN_IF_ERROR_IN(where, check_scales(quantization));
  if (quantization.scales.size() == 1) return std::vector<float>(static_cast<std::size_t>(count), quantization.scales[0]);
  if (std::ssize(quantization.scales) != count || quantization.axis != axis)
    return refuse(fmt::format("{}: found {} scales on axis {}, expected one or {} on axis {}", where, quantization.scales.size(),
                              quantization.axis, count, axis));
  if (std::ranges::any_of(quantization.zero_points, [](std::int64_t zero) { return zero != 0; }))
    return refuse(where + ": found a zero point that is not 0 beside several scales, expected 0");
  return quantization.scales;
}

bool is_quantized(std::span<const ValueType> types, std::size_t index) {
  return index < types.size() && types[index].quantization.has_value();
}

Result<std::pair<float, float>> float_range(const Node& node) { return number_range<float>(node); }

std::pair<std::int32_t, std::int32_t> range_of(DType dtype) {
  switch (dtype) {
    case DType::kInt8: return {-128, 127};
    case DType::kUInt8: return {0, 255};
    case DType::kInt16: return {-32768, 32767};
    default: return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
  }
}

Result<std::pair<std::int32_t, std::int32_t>> stored_range(const Node& node, DType dtype, const Scale& output) {
  MORU_ASSIGN_OR_RETURN(const auto reals, number_range<float>(node));
  auto range = range_of(dtype);
  if (reals.first != std::numeric_limits<float>::lowest())
    range.first = static_cast<std::int32_t>(std::max<std::int64_t>(range.first, stored(reals.first, output)));
  if (reals.second != std::numeric_limits<float>::max())
    range.second = static_cast<std::int32_t>(std::min<std::int64_t>(range.second, stored(reals.second, output)));
  if (range.first > range.second)
    return refuse(fmt::format("output 0: found zero point {}, expected one that leaves the activation a range", output.zero_point));
  return range;
}

Result<Rescale> convolution_rescale(const EvalContext& context, std::size_t input, std::size_t weight, std::int64_t channels,
                                    std::int32_t axis) {
  MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, input));
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  MORU_ASSIGN_OR_RETURN(const auto scales, input_scales(context, weight, channels, axis));
  Rescale rescale;
  rescale.input_zero_point = in.zero_point;
  rescale.output_zero_point = out.zero_point;
  const Quantization& weights = *context.input_types[weight].quantization;
  if (weights.scales.size() == 1) rescale.weight_zero_point = static_cast<std::int32_t>(weights.zero_points[0]);
  // Unsigned convolutions multiply the scales as floats; the other layers as doubles.
  const bool as_floats = context.input(input).dtype() == DType::kUInt8 && context.input(weight).rank() != 2;
  for (const float scale : scales) {
    const double product = as_floats ? static_cast<double>(in.scale * scale) : static_cast<double>(in.scale) * static_cast<double>(scale);
    rescale.multipliers.push_back(quantize_multiplier(product / static_cast<double>(out.scale)));
  }
  MORU_ASSIGN_OR_RETURN(rescale.range, stored_range(context.node, context.outputs[0].dtype(), out));
  return rescale;
}

Status map_by_table(EvalContext& context, float (*f)(float)) {
  MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  return ops::for_dtype<std::int8_t, std::uint8_t>(context.input(0).dtype(), [&]<class T>() -> Status {
    constexpr std::int32_t kLow = std::numeric_limits<T>::min();
    constexpr std::int32_t kHigh = std::numeric_limits<T>::max();
    std::array<T, 256> table{};
    const float inverse = 1 / out.scale;
    for (std::int32_t value = kLow; value <= kHigh; ++value) {
      const float real = in.scale * static_cast<float>(value - in.zero_point);
      const float level = std::round(f(real) * inverse) + static_cast<float>(out.zero_point);
      const float inside =
          std::isnan(level) ? static_cast<float>(kLow) : std::clamp(level, static_cast<float>(kLow), static_cast<float>(kHigh));
      table[static_cast<std::uint8_t>(value)] = static_cast<T>(inside);
    }
    const auto x = context.input(0).data<T>();
    const auto y = context.outputs[0].mutable_data<T>();
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = table[static_cast<std::uint8_t>(x[i])];
    return {};
  });
}

Status map_floats(EvalContext& context, float (*f)(float)) {
  const auto x = context.input(0).data<float>();
  const auto y = context.outputs[0].mutable_data<float>();
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = f(x[i]);
  return {};
}

Status map_reals(EvalContext& context, float (*f)(float)) {
  return context.input(0).dtype() == DType::kFloat32 ? map_floats(context, f) : map_by_table(context, f);
}

}  // namespace moru::model::tflite_ops
