// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/convolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "model/ops/support/convolution.h"
#include "runtime/engine/rows.h"

namespace moru::runtime::engine {

bool ConvGeometry::is_pointwise() const {
  return taps() == 1 && stride_h == 1 && stride_w == 1 && pad_top == 0 && pad_left == 0 && out_h == in_h && out_w == in_w;
}

Result<ConvGeometry> read_geometry(const model::Node& node, const model::Dims& x, const model::Dims& w, const model::Dims& y) {
  if (x.size() != 3 && x.size() != 4) {
    return fail(ErrorCode::kUnsupported, fmt::format("found {} spatial axes, expected 1 or 2", static_cast<int>(x.size()) - 2));
  }
  for (const model::Dims& dims : {x, w, y}) {
    for (const std::int64_t extent : dims) {
      if (extent < 1 || extent > std::numeric_limits<std::int32_t>::max() / 4) {
        return fail(ErrorCode::kUnsupported, fmt::format("found extent {} in {}, expected 1 or more", extent, model::to_string(dims)));
      }
    }
  }
  MORU_ASSIGN_OR_RETURN(const auto convolution, model::ops::read_convolution(node, x, w, y));
  const auto& window = convolution.window;
  const std::size_t last = window.rank() - 1;
  const auto number = [](std::int64_t value) { return static_cast<int>(value); };
  ConvGeometry geometry;
  geometry.batch = number(convolution.batch);
  geometry.channels = number(convolution.channels);
  geometry.outputs = number(convolution.outputs);
  geometry.group = number(convolution.group);
  geometry.in_w = number(convolution.in[last]);
  geometry.out_w = number(convolution.out[last]);
  geometry.kernel_w = number(window.kernel[last]);
  geometry.stride_w = number(window.strides[last]);
  geometry.dilation_w = number(window.dilations[last]);
  geometry.pad_left = number(window.pads_begin[last]);
  geometry.in_h = last == 0 ? 1 : number(convolution.in[0]);
  geometry.out_h = last == 0 ? 1 : number(convolution.out[0]);
  if (last == 1) {
    geometry.kernel_h = number(window.kernel[0]);
    geometry.stride_h = number(window.strides[0]);
    geometry.dilation_h = number(window.dilations[0]);
    geometry.pad_top = number(window.pads_begin[0]);
  }
  if (geometry.kernel_h > kMostKernelRows) {
    return fail(ErrorCode::kUnsupported, fmt::format("found a kernel of {} rows, expected at most {}", geometry.kernel_h, kMostKernelRows));
  }
  return geometry;
}

ConvRows rows_of(const ConvGeometry& geometry, std::size_t element_bytes) {
  if (geometry.is_pointwise()) return ConvRows::kReady;
  // Fewer outputs than this in a row leave most of a tile empty.
  constexpr int kLongRow = 12;
  const bool is_run = geometry.group == 1 && (geometry.dilation_w == 1 || element_bytes > 1);
  const bool fits = element_bytes > 1 || geometry.taps() * geometry.channels <= kernels::kMostOfLines;
  return is_run && fits && geometry.out_w >= kLongRow ? ConvRows::kLines : ConvRows::kGathered;
}

MatrixShape matrix_shape(const ConvGeometry& geometry, std::size_t element_bytes) {
  if (rows_of(geometry, element_bytes) == ConvRows::kLines) {
    const int taps = geometry.dilation_w == 1 ? geometry.kernel_w : 1;
    return {.n = geometry.outputs, .k = taps * geometry.channels, .lines = geometry.taps() / taps};
  }
  const int m = geometry.is_pointwise() ? geometry.batch * geometry.out_h * geometry.out_w : 0;
  return {.n = geometry.group_outputs(), .k = geometry.taps() * geometry.group_channels(), .m = m};
}

RowReach reach_of(const ConvGeometry& it, const ConvBuffers& buffers, std::size_t element_bytes) {
  const auto row_bytes = [element_bytes](int columns, int channels) {
    return static_cast<std::size_t>(columns) * static_cast<std::size_t>(channels) * element_bytes;
  };
  return {.x = buffers.x,
          .y = buffers.y,
          .in_rows = it.in_h,
          .out_rows = it.out_h,
          .in_row_bytes = row_bytes(it.in_w, it.channels),
          .out_row_bytes = row_bytes(it.out_w, it.outputs),
          .rows = (it.kernel_h - 1) * it.dilation_h + 1,
          .stride = it.stride_h,
          .pad_top = it.pad_top};
}

template <class T>
std::vector<T> rows_of_group(const ConvGeometry& geometry, std::span<const T> w, int group) {
  const auto taps = static_cast<std::size_t>(geometry.taps());
  const auto channels = static_cast<std::size_t>(geometry.group_channels());
  const auto outputs = static_cast<std::size_t>(geometry.group_outputs());
  std::vector<T> rows(outputs * taps * channels);
  const std::size_t first = static_cast<std::size_t>(group) * rows.size();
  for (std::size_t o = 0; o < outputs; ++o) {
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t tap = 0; tap < taps; ++tap) {
        rows[(o * taps + tap) * channels + c] = w[first + (o * channels + c) * taps + tap];
      }
    }
  }
  return rows;
}

template <class T>
std::vector<T> depthwise_rows(const ConvGeometry& geometry, std::span<const T> w) {
  const auto taps = static_cast<std::size_t>(geometry.taps());
  const auto channels = static_cast<std::size_t>(geometry.channels);
  std::vector<T> rows(taps * channels);
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t tap = 0; tap < taps; ++tap) rows[tap * channels + c] = w[c * taps + tap];
  }
  return rows;
}

template std::vector<float> rows_of_group(const ConvGeometry& geometry, std::span<const float> w, int group);
template std::vector<std::int8_t> rows_of_group(const ConvGeometry& geometry, std::span<const std::int8_t> w, int group);
template std::vector<float> depthwise_rows(const ConvGeometry& geometry, std::span<const float> w);
template std::vector<std::int8_t> depthwise_rows(const ConvGeometry& geometry, std::span<const std::int8_t> w);

}  // namespace moru::runtime::engine
