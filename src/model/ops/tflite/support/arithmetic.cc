// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/arithmetic.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "model/ops/support/broadcast.h"
#include "model/ops/support/elementwise.h"

namespace moru::model::tflite_ops {
namespace {

template <class W>
W apply(Arithmetic op, W a, W b) {
  switch (op) {
    case Arithmetic::kAdd: return ops::wrap_add(a, b);
    case Arithmetic::kSubtract: return ops::wrap_subtract(a, b);
    case Arithmetic::kMultiply: return ops::wrap_multiply(a, b);
    case Arithmetic::kDivide: return ops::wrap_divide(a, b);
    case Arithmetic::kSquaredDifference: break;
  }
  const W difference = ops::wrap_subtract(a, b);
  return ops::wrap_multiply(difference, difference);
}

template <class T>
Status numbers(EvalContext& context, Arithmetic op) {
  MORU_ASSIGN_OR_RETURN(const auto range, number_range<T>(context.node));
  if constexpr (std::is_integral_v<T>) {
    if (op == Arithmetic::kDivide) MORU_RETURN_IF_ERROR(ops::check_divisors(context, context.input(1)));
  }
  ops::zip<T, T, T>(context.input(0), context.input(1), context.outputs[0], [&](T a, T b) {
    return std::clamp(ops::narrow<T>(apply<ops::Wide<T>>(op, ops::widen(a), ops::widen(b))), range.first, range.second);
  });
  return {};
}

/// Both inputs on one scale, `left` bits finer than the coarser of them.
struct Common {
  Scale a, b, out;
  Multiplier of_a, of_b, of_out;
  int left = 20;
  std::pair<std::int32_t, std::int32_t> range;
};

Result<Common> common_scale(const EvalContext& context, int left, bool squared) {
  Common common;
  common.left = left;
  MORU_ASSIGN_OR_RETURN(common.a, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(common.b, input_scale(context, 1));
  MORU_ASSIGN_OR_RETURN(common.out, output_scale(context));
  MORU_ASSIGN_OR_RETURN(common.range, stored_range(context.node, context.outputs[0].dtype(), common.out));
  const double twice = static_cast<double>(2 * std::max(common.a.scale, common.b.scale));
  common.of_a = quantize_multiplier(static_cast<double>(common.a.scale) / twice);
  common.of_b = quantize_multiplier(static_cast<double>(common.b.scale) / twice);
  const int bits = squared ? 2 * left : left;
  const double finer = static_cast<double>(std::int64_t{1} << static_cast<unsigned>(bits));
  common.of_out = quantize_multiplier((squared ? twice * twice : twice) / (finer * static_cast<double>(common.out.scale)));
  return common;
}

template <class T>
T finished(std::int32_t scaled, const Common& common) {
  const std::int64_t level = std::int64_t{scaled} + common.out.zero_point;
  return static_cast<T>(std::clamp<std::int64_t>(level, common.range.first, common.range.second));
}

template <class T>
Status quantised_sum(EvalContext& context, Arithmetic op) {
  const bool squared = op == Arithmetic::kSquaredDifference;
  MORU_ASSIGN_OR_RETURN(const Common common, common_scale(context, squared ? 7 : sizeof(T) == 2 ? 15 : 20, squared));
  const std::int32_t factor = std::int32_t{1} << static_cast<unsigned>(common.left);
  ops::zip<T, T, T>(context.input(0), context.input(1), context.outputs[0], [&](T x, T y) {
    const auto finer_x = ops::narrow<std::int32_t>((std::int64_t{x} - common.a.zero_point) * factor);
    const auto finer_y = ops::narrow<std::int32_t>((std::int64_t{y} - common.b.zero_point) * factor);
    const auto joined = ops::narrow<std::int32_t>(apply<std::int64_t>(op, scale(finer_x, common.of_a), scale(finer_y, common.of_b)));
    return finished<T>(scale(joined, common.of_out), common);
  });
  return {};
}

/// The power of two that a scale is; nullopt when it is none.
std::optional<int> log2_of(float scale) {
  const double log = std::log2(static_cast<double>(scale));
  const double rounded = std::round(log);
  if (std::abs(log - rounded) >= 1e-3) return std::nullopt;
  return static_cast<int>(rounded);
}

/// 16-bit inputs whose scales are powers of two and whose zero points are 0: how far each is shifted to the output's scale.
Result<std::optional<std::pair<int, int>>> shifts_of(const EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t powers, int_attribute(context.node, "pot_scale_int16", 1));
  if (powers == 0) return std::nullopt;
  MORU_ASSIGN_OR_RETURN(const Scale a, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(const Scale b, input_scale(context, 1));
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  const auto log_a = log2_of(a.scale);
  const auto log_b = log2_of(b.scale);
  const auto log_out = log2_of(out.scale);
  if (!log_a || !log_b || !log_out || a.zero_point != 0 || b.zero_point != 0 || out.zero_point != 0) return std::nullopt;
  const std::pair<int, int> shifts{*log_out - *log_a, *log_out - *log_b};
  if (shifts.first < 0 || shifts.second < 0 || (shifts.first != 0 && shifts.second != 0) || shifts.first > 31 || shifts.second > 31)
    return fail(ErrorCode::kInvalidArgument,
                "found scales that are powers of two, expected one that is the output's and one that is no larger");
  return shifts;
}

Status shifted_sum(EvalContext& context, Arithmetic op, const std::pair<int, int>& shifts) {
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  MORU_ASSIGN_OR_RETURN(const auto range, stored_range(context.node, DType::kInt16, out));
  ops::zip<std::int16_t, std::int16_t, std::int16_t>(
      context.input(0), context.input(1), context.outputs[0], [&](std::int16_t x, std::int16_t y) {
        const std::int64_t a = rounding_divide_by_power(x, shifts.first);
        const std::int64_t b = rounding_divide_by_power(y, shifts.second);
        return static_cast<std::int16_t>(std::clamp<std::int64_t>(apply(op, a, b), range.first, range.second));
      });
  return {};
}

template <class T>
Status quantised_product(EvalContext& context) {
  Common common;
  MORU_ASSIGN_OR_RETURN(common.a, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(common.b, input_scale(context, 1));
  MORU_ASSIGN_OR_RETURN(common.out, output_scale(context));
  MORU_ASSIGN_OR_RETURN(common.range, stored_range(context.node, context.outputs[0].dtype(), common.out));
  common.of_out = quantize_multiplier(static_cast<double>(common.a.scale * common.b.scale / common.out.scale));
  ops::zip<T, T, T>(context.input(0), context.input(1), context.outputs[0], [&](T x, T y) {
    const auto product = ops::narrow<std::int32_t>((std::int64_t{x} - common.a.zero_point) * (std::int64_t{y} - common.b.zero_point));
    return finished<T>(scale(product, common.of_out), common);
  });
  return {};
}

Status quantised(EvalContext& context, Arithmetic op) {
  if (op == Arithmetic::kDivide) return fail(ErrorCode::kUnsupported, "found quantised integers, expected floats or plain integers");
  const DType dtype = context.input(0).dtype();
  if (op != Arithmetic::kMultiply && op != Arithmetic::kSquaredDifference && dtype == DType::kInt16) {
    MORU_ASSIGN_OR_RETURN(const auto shifts, shifts_of(context));
    if (shifts) return shifted_sum(context, op, *shifts);
  }
  return ops::for_dtype<std::int8_t, std::uint8_t, std::int16_t>(
      dtype, [&]<class T>() { return op == Arithmetic::kMultiply ? quantised_product<T>(context) : quantised_sum<T>(context, op); });
}

}  // namespace

Status run_arithmetic(EvalContext& context, Arithmetic op) {
  const DType dtype = context.input(0).dtype();
  const bool small = dtype == DType::kInt8 || dtype == DType::kUInt8 || dtype == DType::kInt16;
  if (small && (dtype != DType::kInt16 || is_quantized(context.input_types, 0))) return quantised(context, op);
  return ops::for_dtype<float, std::int16_t, std::int32_t, std::int64_t>(dtype, [&]<class T>() { return numbers<T>(context, op); });
}

}  // namespace moru::model::tflite_ops
