// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/activation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "model/ops/support/broadcast.h"

namespace moru::model::tflite_ops {
namespace {

template <class T>
T saturated(std::int64_t level) {
  return static_cast<T>(std::clamp<std::int64_t>(level, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

/// y[i] = f(x[i]) for one type.
template <class T, class F>
Status map(EvalContext& context, F f) {
  std::ranges::transform(context.input(0).data<T>(), context.outputs[0].mutable_data<T>().begin(), f);
  return {};
}

template <class F>
Status for_8bit(DType dtype, F&& f) {
  return ops::for_dtype<std::int8_t, std::uint8_t>(dtype, std::forward<F>(f));
}

// ---- 16 bits with 15 behind the point

std::int16_t shift_left16(std::int16_t value, int amount) {
  return saturated<std::int16_t>(std::int64_t{value} << static_cast<unsigned>(std::min(amount, 31)));
}

/// a * b / 2^15, to nearest.
std::int16_t rounded_product16(std::int16_t a, std::int16_t b) {
  if (a == b && a == std::numeric_limits<std::int16_t>::min()) return std::numeric_limits<std::int16_t>::max();
  const std::int32_t product = std::int32_t{a} * b;
  return static_cast<std::int16_t>((product + (product >= 0 ? (1 << 14) : (1 - (1 << 14)))) / (1 << 15));
}

/// The same, cut towards 0.
std::int16_t cut_product16(std::int16_t a, std::int16_t b) {
  if (a == b && a == std::numeric_limits<std::int16_t>::min()) return std::numeric_limits<std::int16_t>::max();
  return static_cast<std::int16_t>(std::int32_t{a} * b / (1 << 15));
}

struct Multiplier16 {
  std::int16_t value = 0;
  int shift = 0;
};

Multiplier16 quantize_multiplier16(double real) {
  const Multiplier wide = quantize_multiplier(real);
  constexpr std::int32_t kHalf = 1 << 15;
  if (wide.value >= std::numeric_limits<std::int32_t>::max() - kHalf) return {std::numeric_limits<std::int16_t>::max(), wide.shift};
  return {static_cast<std::int16_t>((wide.value + kHalf) >> 16), wide.shift};
}

/// (x + 3) / 6 between 0 and 1, for an x of 7 more bits than the input.
std::int16_t relu_like(std::int16_t x, const Multiplier16& multiplier) {
  if (multiplier.shift > 0) x = shift_left16(x, multiplier.shift - 1);
  x = rounded_product16(x, multiplier.value);
  if (multiplier.shift > 0) x = shift_left16(x, 1);
  if (multiplier.shift < 0) x = static_cast<std::int16_t>(rounding_divide_by_power(x, std::min(-multiplier.shift, 31)));
  return static_cast<std::int16_t>((x + (1 << 15)) >> 1);
}

template <class T>
Status hard_swish_8bit(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  const float finer = (1.0F / 128.0F) * in.scale;
  const Multiplier16 to_output = quantize_multiplier16(static_cast<double>(finer / out.scale));
  const Multiplier16 to_relu = quantize_multiplier16(static_cast<double>(finer / (3.0F / 32768.0F)));
  if (to_output.shift > 0)
    return fail(ErrorCode::kInvalidArgument, fmt::format("output 0: found scale {}, expected at least 1/128 of the input's", out.scale));
  return map<T>(context, [&](T value) {
    const auto x = static_cast<std::int16_t>((std::int32_t{value} - in.zero_point) * 128);
    const std::int16_t on_output = rounded_product16(x, to_output.value);
    const std::int16_t product = cut_product16(relu_like(x, to_relu), on_output);
    return saturated<T>(std::int64_t{rounding_divide_by_power(product, std::min(-to_output.shift, 31))} + out.zero_point);
  });
}

// ---- 16-bit tables

/// The logistic function at distances of 1/24, less half of what a straight line to the next value misses in the middle; its last
/// value is where it ends.
std::uint32_t logistic_entry(std::size_t index) {
  static const auto sigmoid_steps = [] {
    const auto at = [](double i) { return 65536.0 / (1.0 + std::exp(-i / 24.0)); };
    std::array<std::uint16_t, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
      const auto x = static_cast<double>(i);
      const double missed = (at(x) + at(x + 1)) / 2 - at(x + 0.5);
      table[i] = static_cast<std::uint16_t>(std::round(at(x) - missed / 2));
    }
    table.back() = 65535;
    return table;
  }();
  return sigmoid_steps[index];
}

/// Brings 16-bit inputs to a scale of 1 / (3 * 4096), on which 2^17 is 10.7.
struct ToTable {
  std::int32_t multiplier = 3;
  int shift = 0;
  std::int32_t operator()(std::int16_t x) const {
    const std::int32_t half = shift > 0 ? 1 << (shift - 1) : 0;
    return (x * multiplier + half) >> shift;
  }
};

Result<ToTable> to_table(const EvalContext& context, int most_doublings) {
  MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  if (in.zero_point != 0 || out.zero_point != 0 || out.scale != 1.0F / 32768.0F)
    return fail(ErrorCode::kInvalidArgument,
                "found another scale or zero point beside 16 bits, expected zero points 0 and an output scale of 2^-15");
  const double log = std::log2(static_cast<double>(in.scale));
  const int doublings = static_cast<int>(std::round(log)) + 12;
  if (std::abs(log - std::round(log)) < 1e-3 && doublings >= 0 && doublings <= most_doublings) return ToTable{3 << doublings, 0};
  double multiplier = static_cast<double>(in.scale) * 4096.0 * 3.0;
  if (multiplier > 32767.0)
    return fail(ErrorCode::kInvalidArgument, fmt::format("input 0: found scale {}, expected below 2.6 beside 16 bits", in.scale));
  int shift = 0;
  for (; multiplier <= 32767.0 / 2.0 && shift <= 30; ++shift) multiplier *= 2.0;
  return ToTable{static_cast<std::int32_t>(multiplier), shift};
}

}  // namespace

Status run_clamp(EvalContext& context, float low, std::optional<float> high) {
  if (context.input(0).dtype() == DType::kFloat32) {
    return map<float>(context, [&](float x) {
      const float above = std::max(low, x);
      return high ? std::min(above, *high) : above;
    });
  }
  MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  const Multiplier multiplier = quantize_multiplier(static_cast<double>(in.scale / out.scale));
  const auto stored = [&](float real) {
    return out.zero_point + static_cast<std::int64_t>(std::round(std::clamp(real / out.scale, -1e9F, 1e9F)));
  };
  auto range = range_of(context.input(0).dtype());
  range.first = static_cast<std::int32_t>(std::max<std::int64_t>(range.first, stored(low)));
  if (high) range.second = static_cast<std::int32_t>(std::min<std::int64_t>(range.second, stored(*high)));
  return for_8bit(context.input(0).dtype(), [&]<class T>() -> Status {
    return map<T>(context, [&](T x) {
      const std::int64_t level = std::int64_t{scale(std::int32_t{x} - in.zero_point, multiplier)} + out.zero_point;
      return static_cast<T>(std::min<std::int64_t>(std::max<std::int64_t>(level, range.first), range.second));
    });
  });
}

Status run_hard_swish(EvalContext& context) {
  if (context.input(0).dtype() == DType::kFloat32)
    return map<float>(context, [](float x) { return x * std::min(6.0F, std::max(0.0F, x + 3.0F)) / 6.0F; });
  return for_8bit(context.input(0).dtype(), [&]<class T>() { return hard_swish_8bit<T>(context); });
}

Status run_leaky_relu(EvalContext& context, float alpha) {
  if (context.input(0).dtype() == DType::kFloat32) return map<float>(context, [&](float x) { return x > 0 ? x : x * alpha; });
  MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  const Multiplier above = quantize_multiplier(static_cast<double>(in.scale / out.scale));
  const Multiplier below = quantize_multiplier(static_cast<double>(in.scale * alpha / out.scale));
  return ops::for_dtype<std::int8_t, std::uint8_t, std::int16_t>(context.input(0).dtype(), [&]<class T>() -> Status {
    return map<T>(context, [&](T value) {
      const std::int32_t x = std::int32_t{value} - in.zero_point;
      return saturated<T>(std::int64_t{scale(x, x >= 0 ? above : below)} + out.zero_point);
    });
  });
}

Status run_prelu(EvalContext& context) {
  if (context.input(0).dtype() == DType::kFloat32) {
    ops::zip<float, float, float>(context.input(0), context.input(1), context.outputs[0],
                                  [](float x, float alpha) { return x >= 0 ? x : x * alpha; });
    return {};
  }
  MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(const Scale alpha, input_scale(context, 1));
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  const Multiplier above = quantize_multiplier(static_cast<double>(in.scale / out.scale));
  const Multiplier below = quantize_multiplier(static_cast<double>(in.scale * alpha.scale / out.scale));
  return for_8bit(context.input(0).dtype(), [&]<class T>() -> Status {
    ops::zip<T, T, T>(context.input(0), context.input(1), context.outputs[0], [&](T value, T slope) {
      const std::int32_t x = std::int32_t{value} - in.zero_point;
      const std::int32_t scaled = x >= 0 ? scale(x, above) : scale(x * (std::int32_t{slope} - alpha.zero_point), below);
      return saturated<T>(std::int64_t{scaled} + out.zero_point);
    });
    return {};
  });
}

Status run_abs(EvalContext& context) {
  const DType dtype = context.input(0).dtype();
  if (dtype == DType::kFloat32) return map<float>(context, [](float x) { return std::abs(x); });
  if (dtype == DType::kInt32)
    return map<std::int32_t>(context, [](std::int32_t x) { return static_cast<std::int32_t>(std::abs(std::int64_t{x})); });
  if (dtype == DType::kInt16 && !is_quantized(context.input_types, 0))
    return map<std::int16_t>(context, [](std::int16_t x) { return static_cast<std::int16_t>(std::abs(std::int32_t{x})); });
  MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  const bool rescaled = in.scale != out.scale;
  const Multiplier multiplier = quantize_multiplier(static_cast<double>(in.scale) / static_cast<double>(out.scale));
  return ops::for_dtype<std::int8_t, std::int16_t>(dtype, [&]<class T>() -> Status {
    return map<T>(context, [&](T value) {
      const std::int32_t x = std::abs(std::int32_t{value} - in.zero_point);
      return saturated<T>(std::int64_t{rescaled ? scale(x, multiplier) : x} + out.zero_point);
    });
  });
}

Status logistic16(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const ToTable to, to_table(context, 0));
  return map<std::int16_t>(context, [&](std::int16_t value) {
    const std::int32_t x = to(value);
    const auto magnitude = static_cast<std::uint32_t>(std::abs(x));
    const std::uint32_t index = magnitude >> 9U;
    std::uint32_t result = 0x7FFFU << 10U;
    if (index < 255) result = (logistic_entry(index) << 9U) + (magnitude & 0x1FFU) * (logistic_entry(index + 1) - logistic_entry(index));
    result = x >= 0 ? result + (1U << 9U) : (1U << 25U) - result + (1U << 9U) - 1;
    return static_cast<std::int16_t>(result >> 10U);
  });
}

Status tanh16(EvalContext& context) {
  // tanh(x) = 2 * logistic(2 * x) - 1
  MORU_ASSIGN_OR_RETURN(const ToTable to, to_table(context, 1));
  return map<std::int16_t>(context, [&](std::int16_t value) {
    const std::int32_t x = to(value);
    const auto magnitude = static_cast<std::uint32_t>(std::abs(x));
    const std::uint32_t index = magnitude >> 8U;
    std::int32_t result = 0xFFFF << 8;
    if (index < 255)
      result = static_cast<std::int32_t>((logistic_entry(index) << 8U) +
                                         (magnitude & 0xFFU) * (logistic_entry(index + 1) - logistic_entry(index)));
    result = x >= 0 ? result - (1 << 23) + (1 << 7) : -result + (1 << 23) + (1 << 7) - 1;
    return static_cast<std::int16_t>(result >> 8);
  });
}

}  // namespace moru::model::tflite_ops
