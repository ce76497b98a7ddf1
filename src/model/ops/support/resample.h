// SPDX-License-Identifier: Apache-2.0
// Resampling of tensors axis by axis: what Resize and Upsample share. Coordinates and weights are ONNX's (its Resize-19), in
// double; the cubic kernel is that of Keys, "Cubic Convolution Interpolation for Digital Image Processing" (1981).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"
#include "model/tensor/tensor.h"

namespace moru::model::ops {

enum class Interpolation : std::uint8_t { kNearest, kLinear, kCubic };
/// From a place of the output to one of the input; the names are ONNX's.
enum class Coordinates : std::uint8_t { kHalfPixel, kHalfPixelSymmetric, kPytorchHalfPixel, kAlignCorners, kAsymmetric, kTfCropAndResize };
enum class Rounding : std::uint8_t { kPreferFloor, kPreferCeil, kFloor, kCeil };

struct Resampling {
  Interpolation interpolation = Interpolation::kNearest;
  Coordinates coordinates = Coordinates::kHalfPixel;
  Rounding rounding = Rounding::kPreferFloor;
  double cubic_a = -0.75;
  bool exclude_outside = false;  ///< taps outside count nothing, the others are weighted up
  bool antialias = false;        ///< a wider kernel when an axis shrinks
  float extrapolation = 0;       ///< for places outside, in kTfCropAndResize
};

/// Reads the attributes of a Resize node.
Result<Resampling> read_resampling(const Node& node);

/// How one axis changes.
struct AxisResize {
  std::int64_t in = 0;
  std::int64_t out = 0;
  double scale = 1;   ///< out per in
  double length = 0;  ///< scale * in, of which `out` is the whole part
  double roi_start = 0;
  double roi_end = 1;
};

/// How each axis of an x of these extents changes, by a Resize node whose inputs are all known (null: left out) but for the first, which is
/// not looked at. Errors: scales and sizes that give no extents.
Result<std::vector<AxisResize>> read_resizes(const Node& node, const Dims& x, std::span<const Tensor* const> inputs);

/// For each place of an axis of the output the places of the input that it is made of, with their weights.
struct Taps {
  std::size_t per_place = 1;
  std::vector<std::int64_t> index;  ///< all within the input
  std::vector<double> weight;       ///< none in mode nearest
  std::vector<bool> outside;        ///< gets the extrapolation value
  bool is_identity = false;
};
Taps taps_of(const AxisResize& axis, const Resampling& how);

/// y = x resampled on each axis; `axes` has an entry an axis, `in` and `out` as the tensors have. Where `out` is not 0, `in` is
/// not. Numbers other than floats are rounded (halves to even) and saturated; kUnsupported for types without arithmetic, unless
/// elements are only copied.
Status resample(const Tensor& x, std::span<const AxisResize> axes, const Resampling& how, Tensor& y);

/// floor(extent * scale) in float, as exporters and runtimes compute it. Errors: a scale that is not above 0, a result above 2^40.
Result<std::int64_t> scaled_extent(std::int64_t extent, float scale);

}  // namespace moru::model::ops
