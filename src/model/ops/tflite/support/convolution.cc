// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/convolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace moru::model::tflite_ops {
namespace {

/// Calls finish(place, channel, sum) for each element of y.
template <class Sum, class X, class W, class F>
void for_each_sum(const Layer& layer, const X* x, const W* w, Sum x_zero, Sum w_zero, F finish) {
  const Slide& sh = layer.slides.h;
  const Slide& sw = layer.slides.w;
  const std::int64_t top = sh.before(layer.h, layer.out_h);
  const std::int64_t left = sw.before(layer.w, layer.out_w);
  const std::int64_t per_group = layer.by_depth ? layer.out_c / layer.c : layer.out_c / (layer.c / layer.depth);
  std::size_t place = 0;
  for (std::int64_t n = 0; n < layer.batch; ++n) {
    for (std::int64_t i = 0; i < layer.out_h * layer.out_w; ++i) {
      const std::int64_t y0 = i / layer.out_w * sh.stride - top;
      const std::int64_t x0 = i % layer.out_w * sw.stride - left;
      for (std::int64_t o = 0; o < layer.out_c; ++o) {
        const std::int64_t first = o / per_group * layer.depth;
        Sum sum = 0;
        for (std::int64_t ky = 0; ky < sh.kernel; ++ky) {
          const std::int64_t yy = y0 + ky * sh.dilation;
          if (yy < 0 || yy >= layer.h) continue;
          for (std::int64_t kx = 0; kx < sw.kernel; ++kx) {
            const std::int64_t xx = x0 + kx * sw.dilation;
            if (xx < 0 || xx >= layer.w) continue;
            const X* from = x + ((n * layer.h + yy) * layer.w + xx) * layer.c + first;
            const std::int64_t tap = ky * sw.kernel + kx;
            const W* by = layer.by_depth ? w + tap * layer.out_c + o : w + (o * sh.kernel * sw.kernel + tap) * layer.depth;
            for (std::int64_t c = 0; c < layer.depth; ++c) sum += (static_cast<Sum>(from[c]) - x_zero) * (static_cast<Sum>(by[c]) - w_zero);
          }
        }
        finish(place++, static_cast<std::size_t>(o), sum);
      }
    }
  }
}

std::int64_t bias_of(const EvalContext& context, std::size_t channel) {
  if (!context.has_input(2)) return 0;
  const Tensor& bias = context.input(2);
  return bias.dtype() == DType::kInt64 ? bias.data<std::int64_t>()[channel] : bias.data<std::int32_t>()[channel];
}

template <class X, class W>
Status run_integers(EvalContext& context, const Layer& layer) {
  const bool dense = context.input(1).rank() == 2;
  MORU_ASSIGN_OR_RETURN(const Rescale rescale, convolution_rescale(context, 0, 1, layer.out_c, layer.by_depth ? 3 : 0));
  if (context.input(1).dtype() != DType::kUInt8 && !dense && rescale.weight_zero_point != 0)
    return fail(ErrorCode::kInvalidArgument, fmt::format("input 1: found zero point {}, expected 0", rescale.weight_zero_point));
  // Sums of 16-bit activations are wide in convolutions, unless their bias says otherwise.
  const bool wide = sizeof(X) == 2 && !dense && (!context.has_input(2) || context.input(2).dtype() == DType::kInt64);
  const auto y = context.outputs[0].mutable_data<X>();
  for_each_sum<std::int64_t>(
      layer, context.input(0).data<X>().data(), context.input(1).data<W>().data(), rescale.input_zero_point, rescale.weight_zero_point,
      [&](std::size_t place, std::size_t channel, std::int64_t sum) {
        sum += bias_of(context, channel);
        const Multiplier& multiplier = rescale.multipliers[channel];
        const auto narrow = static_cast<std::int32_t>(sum);
        const std::int32_t scaled = wide ? scale_wide(sum, multiplier) : dense ? scale_once(narrow, multiplier) : scale(narrow, multiplier);
        const std::int64_t level = std::int64_t{scaled} + rescale.output_zero_point;
        y[place] = static_cast<X>(std::clamp<std::int64_t>(level, rescale.range.first, rescale.range.second));
      });
  return {};
}

Status run_floats(EvalContext& context, const Layer& layer) {
  MORU_ASSIGN_OR_RETURN(const auto range, float_range(context.node));
  const auto y = context.outputs[0].mutable_data<float>();
  for_each_sum<double>(layer, context.input(0).data<float>().data(), context.input(1).data<float>().data(), 0.0, 0.0,
                       [&](std::size_t place, std::size_t channel, double sum) {
                         if (context.has_input(2)) sum += static_cast<double>(context.input(2).data<float>()[channel]);
                         y[place] = std::clamp(static_cast<float>(sum), range.first, range.second);
                       });
  return {};
}

/// Floats of one batch as 8-bit integers: real = scale * (stored - zero).
struct Levels {
  std::vector<std::int8_t> stored;
  float scale = 1;
  std::int32_t zero = 0;
};

Levels symmetric_levels(std::span<const float> values) {
  Levels levels{std::vector<std::int8_t>(values.size(), 0), 1, 0};
  float range = 0;
  for (const float value : values) range = std::max(range, std::abs(value));
  if (range == 0 || !std::isfinite(range)) return levels;
  constexpr float kMost = 127;
  levels.scale = range / kMost;
  const float inverse = kMost / range;
  for (std::size_t i = 0; i < values.size(); ++i)
    levels.stored[i] = static_cast<std::int8_t>(std::clamp(std::round(values[i] * inverse), -kMost, kMost));
  return levels;
}

Levels asymmetric_levels(std::span<const float> values) {
  Levels levels{std::vector<std::int8_t>(values.size(), 0), 1, 0};
  double low = 0;
  double high = 0;
  for (const float value : values) {
    low = std::min(low, static_cast<double>(value));
    high = std::max(high, static_cast<double>(value));
  }
  if (low == high || !std::isfinite(high - low)) return levels;
  constexpr double kLow = -128;
  constexpr double kHigh = 127;
  const double scale = (high - low) / (kHigh - kLow);
  // Of the zero points that either end asks for, the one with the smaller error.
  const double from_low = kLow - low / scale;
  const double from_high = kHigh - high / scale;
  const double zero = -kLow + std::abs(low / scale) < kHigh + std::abs(high / scale) ? from_low : from_high;
  levels.zero = static_cast<std::int32_t>(std::round(std::clamp(zero, kLow, kHigh)));
  levels.scale = static_cast<float>(scale);
  const float inverse = 1.0F / levels.scale;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float level = std::round(static_cast<float>(levels.zero) + values[i] * inverse);
    levels.stored[i] = static_cast<std::int8_t>(std::clamp(level, -128.0F, 127.0F));
  }
  return levels;
}

Status run_dynamic(EvalContext& context, const Layer& layer) {
  const bool dense = context.input(1).rank() == 2;
  MORU_ASSIGN_OR_RETURN(const auto scales, input_scales(context, 1, layer.out_c, layer.by_depth ? 3 : 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t asked, int_attribute(context.node, "asymmetric_quantize_inputs", 0));
  MORU_ASSIGN_OR_RETURN(const auto range, float_range(context.node));
  const bool by_channel = context.input_types[1].quantization->scales.size() > 1 || layer.by_depth;
  const bool asymmetric = dense ? asked != 0 : by_channel;
  Layer one = layer;
  one.batch = 1;
  const auto x = context.input(0).data<float>();
  const auto y = context.outputs[0].mutable_data<float>();
  const std::size_t in_size = x.size() / static_cast<std::size_t>(layer.batch);
  const std::size_t out_size = y.size() / static_cast<std::size_t>(layer.batch);
  for (std::size_t n = 0; n < static_cast<std::size_t>(layer.batch); ++n) {
    const auto values = x.subspan(n * in_size, in_size);
    const Levels levels = asymmetric ? asymmetric_levels(values) : symmetric_levels(values);
    for_each_sum<std::int64_t>(one, levels.stored.data(), context.input(1).data<std::int8_t>().data(), levels.zero, 0,
                               [&](std::size_t place, std::size_t channel, std::int64_t sum) {
                                 float value = static_cast<float>(sum) * scales[channel] * levels.scale;
                                 if (context.has_input(2)) value += context.input(2).data<float>()[channel];
                                 y[n * out_size + place] = std::clamp(value, range.first, range.second);
                               });
  }
  return {};
}

}  // namespace

Result<std::optional<DType>> layer_dtype(const InferContext& context) {
  const auto x = context.input(0).dtype;
  const auto w = context.input(1).dtype;
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, kReal));
  if (!x || !w) return x;
  const DType expected = *x == DType::kInt16 ? DType::kInt8 : *x;
  if (*x == DType::kFloat32 && *w == DType::kInt8) {
    MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 2, {DType::kFloat32}));
    return x;
  }
  if (*w != expected)
    return fail(ErrorCode::kUnsupported, fmt::format("{}: found {} beside {}, expected {}", ops::input_label(context, 1), to_string(*w),
                                                     to_string(*x), to_string(expected)));
  if (*x == DType::kFloat32) MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 2, {DType::kFloat32}));
  if (*x == DType::kInt16) MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 2, {DType::kInt32, DType::kInt64}));
  if (*x == DType::kInt8 || *x == DType::kUInt8) MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 2, {DType::kInt32}));
  return x;
}

Status run_layer(EvalContext& context, const Layer& layer) {
  if (context.outputs[0].count() == 0) return {};
  switch (context.input(0).dtype()) {
    case DType::kInt8: return run_integers<std::int8_t, std::int8_t>(context, layer);
    case DType::kUInt8: return run_integers<std::uint8_t, std::uint8_t>(context, layer);
    case DType::kInt16: return run_integers<std::int16_t, std::int8_t>(context, layer);
    default: return context.input(1).dtype() == DType::kInt8 ? run_dynamic(context, layer) : run_floats(context, layer);
  }
}

}  // namespace moru::model::tflite_ops
