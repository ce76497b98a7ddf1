// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/resample.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "model/ops/support/movement.h"
#include "model/ops/support/types.h"

namespace moru::model::ops {
namespace {

Result<std::size_t> word_of(const Node& node, std::string_view name, std::span<const std::string_view> words) {
  MORU_ASSIGN_OR_RETURN(const std::string word, string_attribute(node, name, std::string(words[0])));
  const auto it = std::ranges::find(words, word);
  if (it != words.end()) return static_cast<std::size_t>(it - words.begin());
  std::string known;
  for (const std::string_view one : words) known += fmt::format("{}{}", known.empty() ? "" : ", ", one);
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{}': found '{:.40}', expected one of {}", name, word, known));
}

/// Where place `at` of the output lies in the input.
double source_of(double at, const AxisResize& axis, Coordinates coordinates) {
  const auto in = static_cast<double>(axis.in);
  const auto out = static_cast<double>(axis.out);
  const double half_pixel = (at + 0.5) / axis.scale - 0.5;
  switch (coordinates) {
    case Coordinates::kHalfPixel: return half_pixel;
    case Coordinates::kHalfPixelSymmetric: return in / 2 * (1 - out / axis.length) + half_pixel;
    case Coordinates::kPytorchHalfPixel: return axis.out > 1 ? half_pixel : 0;
    case Coordinates::kAlignCorners: return axis.out > 1 ? at * (in - 1) / (axis.length - 1) : 0;
    case Coordinates::kAsymmetric: return at / axis.scale;
    case Coordinates::kTfCropAndResize:
      return axis.out > 1 ? (axis.roi_start + at * (axis.roi_end - axis.roi_start) / (out - 1)) * (in - 1)
                          : 0.5 * (axis.roi_start + axis.roi_end) * (in - 1);
  }
  return 0;
}

double linear_kernel(double x) { return std::max(1 - std::abs(x), 0.0); }

double cubic_kernel(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

std::int64_t nearest(double at, Rounding rounding) {
  switch (rounding) {
    case Rounding::kPreferFloor: return static_cast<std::int64_t>(std::ceil(at - 0.5));
    case Rounding::kPreferCeil: return static_cast<std::int64_t>(std::floor(at + 0.5));
    case Rounding::kFloor: return static_cast<std::int64_t>(std::floor(at));
    case Rounding::kCeil: return static_cast<std::int64_t>(std::ceil(at));
  }
  return 0;
}

/// The weights of the taps first, first + 1, ... around `at`; they add up to 1.
void add_weights(Taps& taps, double at, std::int64_t first, double width, const AxisResize& axis, const Resampling& how) {
  const std::size_t begin = taps.weight.size();
  double sum = 0;
  for (std::size_t i = 0; i < taps.per_place; ++i) {
    const std::int64_t index = first + static_cast<std::int64_t>(i);
    const double distance = (static_cast<double>(index) - at) * width;
    const bool is_left_out = how.exclude_outside && (index < 0 || index >= axis.in);
    const double weight = how.interpolation == Interpolation::kCubic ? cubic_kernel(distance, how.cubic_a) : linear_kernel(distance);
    taps.index.push_back(std::clamp<std::int64_t>(index, 0, axis.in - 1));
    taps.weight.push_back(is_left_out ? 0 : weight);
    sum += taps.weight.back();
  }
  // Without these two the weights add up to 1 by themselves.
  if (!how.exclude_outside && !how.antialias) return;
  for (std::size_t i = begin; i < taps.weight.size() && sum != 0; ++i) taps.weight[i] /= sum;
}

/// Values [outer, in, inner] become [outer, out, inner].
Result<Tensor> resample_axis(const Tensor& values, const Taps& taps, const AxisResize& axis, std::int64_t inner) {
  const std::int64_t outer = values.count() / (axis.in * inner);
  MORU_ASSIGN_OR_RETURN(Tensor result, Tensor::create(DType::kFloat64, {outer, axis.out, inner}));
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < axis.out; ++i) {
      double* to = result.mutable_data<double>().data() + (o * axis.out + i) * inner;
      for (std::size_t tap = static_cast<std::size_t>(i) * taps.per_place; tap < static_cast<std::size_t>(i + 1) * taps.per_place; ++tap) {
        const double* from = values.data<double>().data() + (o * axis.in + taps.index[tap]) * inner;
        for (std::int64_t k = 0; k < inner; ++k) to[k] += taps.weight[tap] * from[k];
      }
    }
  }
  return result;
}

template <class T>
T rounded(double value) {
  if constexpr (kIsReal<T>) {
    return narrow<T>(value);
  } else {
    // The largest int64 has no double; what is not below 2^63 saturates.
    const double level = std::nearbyint(value);
    if (!(level > static_cast<double>(std::numeric_limits<T>::lowest()))) return std::numeric_limits<T>::lowest();
    return level < static_cast<double>(std::numeric_limits<T>::max()) ? static_cast<T>(level) : std::numeric_limits<T>::max();
  }
}

/// Calls f(i) for each element i of y that lies outside on some axis.
template <class F>
void for_each_outside(const Tensor& y, std::span<const Taps> taps, F f) {
  std::vector<std::int64_t> index(y.rank(), 0);
  std::size_t i = 0;
  do {
    bool outside = false;
    for (std::size_t axis = 0; axis < index.size(); ++axis) outside = outside || taps[axis].outside[static_cast<std::size_t>(index[axis])];
    if (outside) f(i);
    ++i;
  } while (next_index(index, y.dims()));
}

Status extrapolate(std::span<const Taps> taps, const Resampling& how, Tensor& y) {
  const bool any = std::ranges::any_of(taps, [](const Taps& one) { return std::ranges::find(one.outside, true) != one.outside.end(); });
  if (!any) return {};
  return for_number_dtype(y.dtype(), [&]<class T>() -> Status {
    const auto elements = y.mutable_data<T>();
    for_each_outside(y, taps, [&](std::size_t i) { elements[i] = rounded<T>(static_cast<double>(how.extrapolation)); });
    return {};
  });
}

void copy_nearest(const Tensor& x, std::span<const Taps> taps, Tensor& y) {
  const auto strides = strides_of(x.dims());
  gather_elements(x, y, [&](std::span<const std::int64_t> index) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis)
      offset += taps[axis].index[static_cast<std::size_t>(index[axis])] * strides[axis];
    return offset;
  });
}

}  // namespace

Taps taps_of(const AxisResize& axis, const Resampling& how) {
  const std::int64_t radius = how.interpolation == Interpolation::kCubic ? 2 : 1;
  const double width = how.antialias ? std::min(axis.scale, 1.0) : 1.0;
  const auto reach = static_cast<std::int64_t>(-std::floor(static_cast<double>(-radius) / width));
  Taps taps;
  if (how.interpolation != Interpolation::kNearest) taps.per_place = static_cast<std::size_t>(2 * reach);
  for (std::int64_t i = 0; i < axis.out; ++i) {
    // Far outside is as good as just outside, and the sums fit.
    const double limit = static_cast<double>(axis.in) + static_cast<double>(reach);
    const double found = source_of(static_cast<double>(i), axis, how.coordinates);
    const double at = std::isnan(found) ? 0 : std::clamp(found, -limit, 2 * limit);
    taps.outside.push_back(how.coordinates == Coordinates::kTfCropAndResize && !(at >= 0 && at <= static_cast<double>(axis.in - 1)));
    if (how.interpolation == Interpolation::kNearest) {
      taps.index.push_back(std::clamp<std::int64_t>(nearest(at, how.rounding), 0, axis.in - 1));
    } else {
      add_weights(taps, at, static_cast<std::int64_t>(std::ceil(at)) - reach, width, axis, how);
    }
  }
  taps.is_identity = how.interpolation == Interpolation::kNearest || axis.scale == 1;
  for (std::int64_t i = 0; i < axis.out && taps.is_identity; ++i) {
    const auto place = static_cast<std::size_t>(i);
    taps.is_identity =
        axis.in == axis.out && !taps.outside[place] &&
        (how.interpolation == Interpolation::kNearest ? taps.index[place] == i
                                                      : source_of(static_cast<double>(i), axis, how.coordinates) == static_cast<double>(i));
  }
  return taps;
}

Result<Resampling> read_resampling(const Node& node) {
  constexpr std::array<std::string_view, 3> kModes = {"nearest", "linear", "cubic"};
  constexpr std::array<std::string_view, 6> kCoordinates = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                                            "align_corners", "asymmetric",           "tf_crop_and_resize"};
  constexpr std::array<std::string_view, 4> kRoundings = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  Resampling how;
  MORU_ASSIGN_OR_RETURN(const std::size_t mode, word_of(node, "mode", kModes));
  MORU_ASSIGN_OR_RETURN(const std::size_t coordinates, word_of(node, "coordinate_transformation_mode", kCoordinates));
  MORU_ASSIGN_OR_RETURN(const std::size_t rounding, word_of(node, "nearest_mode", kRoundings));
  MORU_ASSIGN_OR_RETURN(const float cubic_a, float_attribute(node, "cubic_coeff_a", -0.75F));
  MORU_ASSIGN_OR_RETURN(const std::int64_t exclude, int_attribute(node, "exclude_outside", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t antialias, int_attribute(node, "antialias", 0));
  MORU_ASSIGN_OR_RETURN(how.extrapolation, float_attribute(node, "extrapolation_value", 0.0F));
  how.interpolation = static_cast<Interpolation>(mode);
  how.coordinates = static_cast<Coordinates>(coordinates);
  how.rounding = static_cast<Rounding>(rounding);
  how.cubic_a = static_cast<double>(cubic_a);
  how.exclude_outside = exclude != 0;
  how.antialias = antialias != 0;
  return how;
}

Status resample(const Tensor& x, std::span<const AxisResize> axes, const Resampling& how, Tensor& y) {
  if (y.count() == 0) return {};
  std::vector<Taps> taps;
  for (const AxisResize& axis : axes) taps.push_back(taps_of(axis, how));
  if (how.interpolation == Interpolation::kNearest) {
    copy_nearest(x, taps, y);
    return extrapolate(taps, how, y);
  }
  MORU_RETURN_IF_ERROR(for_number_dtype(x.dtype(), [&]<class T>() -> Status {
    MORU_ASSIGN_OR_RETURN(Tensor values, Tensor::create(DType::kFloat64, x.dims()));
    std::ranges::transform(x.data<T>(), values.mutable_data<double>().begin(),
                           [](T element) { return static_cast<double>(widen(element)); });
    std::int64_t inner = 1;
    for (std::size_t axis = axes.size(); axis-- > 0;) {
      if (!taps[axis].is_identity) {
        MORU_ASSIGN_OR_RETURN(values, resample_axis(values, taps[axis], axes[axis], inner));
      }
      inner *= axes[axis].out;
    }
    std::ranges::transform(values.data<double>(), y.mutable_data<T>().begin(), rounded<T>);
    return {};
  }));
  return extrapolate(taps, how, y);
}

Result<std::int64_t> scaled_extent(std::int64_t extent, float scale) {
  if (!(scale > 0) || !std::isfinite(scale)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("scales: found {}, expected a finite number above 0", scale));
  }
  const float scaled = std::floor(static_cast<float>(extent) * scale);
  if (!(scaled <= static_cast<float>(kMaxExtent))) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("scales: found {} for an extent of {}, expected at most 2^40 together", scale, extent));
  }
  return static_cast<std::int64_t>(scaled);
}

}  // namespace moru::model::ops
