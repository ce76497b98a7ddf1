// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/softmax.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "model/ops/support/loops.h"

namespace moru::model::tflite_ops {
namespace {

constexpr std::int32_t kLow16 = std::numeric_limits<std::int16_t>::min();
constexpr std::int32_t kHigh16 = std::numeric_limits<std::int16_t>::max();

Status softmax_floats(EvalContext& context, float beta, std::size_t depth) {
  const auto x = context.input(0).data<float>();
  const auto y = context.outputs[0].mutable_data<float>();
  for (std::size_t row = 0; row < y.size(); row += depth) {
    const float largest =
        *std::max_element(x.begin() + static_cast<std::ptrdiff_t>(row), x.begin() + static_cast<std::ptrdiff_t>(row + depth));
    const auto power = [&](std::size_t i) {
      return std::exp((static_cast<double>(x[row + i]) - static_cast<double>(largest)) * static_cast<double>(beta));
    };
    double sum = 0;
    for (std::size_t i = 0; i < depth; ++i) sum += power(i);
    for (std::size_t i = 0; i < depth; ++i) y[row + i] = static_cast<float>(power(i) / sum);
  }
  return {};
}

template <class X, class Y>
Status softmax_8bit(EvalContext& context, float beta, std::size_t depth) {
  MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  std::array<float, 256> powers{};  // by the distance below the largest
  const float step = -in.scale * beta;
  for (std::size_t i = 0; i < powers.size(); ++i) powers[i] = std::exp(step * static_cast<float>(i));
  const auto x = context.input(0).data<X>();
  const auto y = context.outputs[0].mutable_data<Y>();
  for (std::size_t row = 0; row < y.size(); row += depth) {
    std::int32_t largest = std::numeric_limits<X>::min();
    for (std::size_t i = 0; i < depth; ++i) largest = std::max<std::int32_t>(largest, x[row + i]);
    const auto power = [&](std::size_t i) { return powers[static_cast<std::size_t>(largest - x[row + i])]; };
    float sum = 0;
    for (std::size_t i = 0; i < depth; ++i) sum += power(i);
    const float inverse = 1.0F / (sum * out.scale);
    for (std::size_t i = 0; i < depth; ++i) {
      const float level = power(i) * inverse;
      const float rounded = std::is_unsigned_v<Y> ? std::trunc(level + 0.5F) : std::round(level);
      const auto stored = static_cast<std::int64_t>(std::min(rounded, 1e9F)) + out.zero_point;
      y[row + i] = static_cast<Y>(std::clamp<std::int64_t>(stored, std::numeric_limits<Y>::min(), std::numeric_limits<Y>::max()));
    }
  }
  return {};
}

const Table16& powers16() {
  static const Table16 kTable([](double x) { return std::exp(x); }, -10.0, 0.0, -1.0, 1.0);
  return kTable;
}
const Table16& reciprocals16() {
  static const Table16 kTable([](double x) { return 1.0 / (1.0 + x); }, 0.0, 1.0, -1.0, 1.0);
  return kTable;
}

/// One row in fixed point with 15 bits behind the point: powers, their sum, its reciprocal, products.
void softmax_row16(std::span<const std::int16_t> x, const Multiplier& to_tenth, std::span<std::int16_t> y) {
  std::int32_t largest = kLow16;
  for (const std::int16_t value : x) largest = std::max<std::int32_t>(largest, value);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::int32_t distance = scale(x[i] - largest, to_tenth) + kHigh16;
    y[i] = powers16()(static_cast<std::int16_t>(std::clamp(distance, kLow16, kHigh16)));
    sum += static_cast<std::uint32_t>(std::int32_t{y[i]});
  }
  const int headroom = std::countl_zero(sum);
  const auto shifted = static_cast<std::int32_t>(
      ((static_cast<std::int64_t>(sum) << static_cast<unsigned>(headroom > 0 ? headroom - 1 : 0)) + (1 << 13)) >> 14);
  const std::int32_t centred = shifted - ((1 << 15) + (1 << 16));
  const std::int64_t reciprocal = reciprocals16()(static_cast<std::int16_t>(std::clamp(centred, kLow16, kHigh16)));
  const int right = std::clamp(31 - headroom, 1, 31);
  for (std::int16_t& value : y) {
    const std::int64_t product = (std::int64_t{value} * reciprocal + (std::int64_t{1} << static_cast<unsigned>(right - 1))) >> right;
    value = static_cast<std::int16_t>(std::clamp<std::int64_t>(product, 0, kHigh16));
  }
}

Status softmax_16bit(EvalContext& context, float beta, std::size_t depth) {
  MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, 0));
  // The table of powers reaches from -10 to 0, which are all 65536 integers.
  const Multiplier to_tenth = quantize_multiplier(static_cast<double>(in.scale * beta) / (10.0 / 65535.0));
  const auto x = context.input(0).data<std::int16_t>();
  const auto y = context.outputs[0].mutable_data<std::int16_t>();
  for (std::size_t row = 0; row < y.size(); row += depth) softmax_row16(x.subspan(row, depth), to_tenth, y.subspan(row, depth));
  return {};
}

}  // namespace

Table16::Table16(double (*f)(double), double input_low, double input_high, double output_low, double output_high) {
  constexpr int kSteps = 512;
  const double step = (input_high - input_low) / kSteps;
  const double half = step / 2;
  const double inverse = 65536.0 / (output_high - output_low);
  const auto stored = [&](double value) {
    return static_cast<std::int16_t>(std::clamp(value, static_cast<double>(kLow16), static_cast<double>(kHigh16)));
  };
  for (int i = 0; i < kSteps; ++i) {
    const double here = std::round(f(input_low + i * step) * inverse);
    const double middle = std::round(f(input_low + i * step + half) * inverse);
    // Half of what a straight line to the next entry misses in the middle.
    const double line = std::round((f(input_low + (i + 1) * step) * inverse + here) / 2);
    entries_.push_back(stored(here - std::round((line - middle) / 2)));
  }
  entries_.push_back(stored(std::round(f(input_high) * inverse)));
}

std::int16_t Table16::operator()(std::int16_t value) const {
  const auto index = static_cast<std::size_t>(256 + (value >> 7));
  const std::int32_t base = entries_[index];
  const std::int32_t slope = entries_[index + 1] - base;
  return static_cast<std::int16_t>(base + ((slope * (value & 0x7F) + (1 << 6)) >> 7));
}

Status run_softmax(EvalContext& context, float beta) {
  const Tensor& x = context.input(0);
  if (x.count() == 0) return {};
  const auto depth = static_cast<std::size_t>(x.dims().back());
  const bool widened = context.outputs[0].dtype() == DType::kInt16;
  switch (x.dtype()) {
    case DType::kInt8:
      return widened ? softmax_8bit<std::int8_t, std::int16_t>(context, beta, depth)
                     : softmax_8bit<std::int8_t, std::int8_t>(context, beta, depth);
    case DType::kUInt8:
      return widened ? softmax_8bit<std::uint8_t, std::int16_t>(context, beta, depth)
                     : softmax_8bit<std::uint8_t, std::uint8_t>(context, beta, depth);
    case DType::kInt16: return softmax_16bit(context, beta, depth);
    default: return softmax_floats(context, beta, depth);
  }
}

}  // namespace moru::model::tflite_ops
