// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "model/ops/support/window.h"

namespace moru::runtime::engine {
namespace {

/// The taps of one window along one axis.
struct Taps {
  int begin;    ///< the first that lies inside of x
  int end;      ///< behind the last
  int counted;  ///< inside, or in the padding where that counts
};

Taps taps_of(const PoolAxis& axis, int out, bool count_padding) {
  const int first = out * axis.stride - axis.pad_begin;
  const auto below = [&](int limit) { return std::clamp((limit - first + axis.dilation - 1) / axis.dilation, 0, axis.kernel); };
  const int begin = first < 0 ? below(0) : 0;
  const int end = first >= axis.in ? 0 : below(axis.in);
  return {begin, std::max(begin, end), count_padding ? below(axis.in + axis.pad_end) : std::max(0, end - begin)};
}

/// Walks the windows; Reduce sees the rows of each.
template <class Reduce>
class PoolStep final : public SplitStep {
 public:
  using T = typename Reduce::Element;
  PoolStep(const PoolGeometry& geometry, BufferId x, BufferId y, Reduce reduce)
      : SplitStep(geometry.batch * geometry.y.out), it_(geometry), x_(x), y_(y), reduce_(std::move(reduce)) {}

  /// A piece is a row of windows.
  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    T* y = frame.at<T>(y_) + std::ptrdiff_t{begin} * it_.x.out * it_.channels;
    for (int piece = begin; piece < end; ++piece) {
      const T* x = frame.at<const T>(x_) + std::ptrdiff_t{piece / it_.y.out} * it_.y.in * it_.x.in * it_.channels;
      const int row = piece % it_.y.out;
      const Taps rows = taps_of(it_.y, row, it_.count_padding);
      for (int column = 0; column < it_.x.out; ++column, y += it_.channels) {
        window(frame, x, row, rows, column, taps_of(it_.x, column, it_.count_padding), y);
      }
    }
  }

 private:
  void window(const Frame& frame, const T* x, int row, const Taps& rows, int column, const Taps& columns, T* y) const noexcept {
    const int first_y = row * it_.y.stride - it_.y.pad_begin;
    const int first_x = column * it_.x.stride - it_.x.pad_begin + columns.begin * it_.x.dilation;
    const auto width = static_cast<std::size_t>(columns.end - columns.begin);
    reduce_.begin(frame, y, it_.channels);
    for (int i = rows.begin; i < rows.end && width > 0; ++i) {
      const std::ptrdiff_t at = std::ptrdiff_t{first_y + i * it_.y.dilation} * it_.x.in + first_x;
      reduce_.add(frame, x + at * it_.channels, width, std::ptrdiff_t{it_.x.dilation} * it_.channels, y, it_.channels);
    }
    reduce_.end(frame, (rows.end - rows.begin) * static_cast<int>(width), rows.counted * columns.counted, y, it_.channels);
  }

  PoolGeometry it_;
  BufferId x_;
  BufferId y_;
  Reduce reduce_;
};

template <class T>
struct Max {
  using Element = T;
  T lowest;
  void (*max)(const T* x, T* y, std::size_t count);

  void begin(const Frame& /*frame*/, T* y, int channels) const noexcept { std::fill_n(y, channels, lowest); }
  void add(const Frame& /*frame*/, const T* x, std::size_t count, std::ptrdiff_t stride, T* y, int channels) const noexcept {
    for (std::size_t i = 0; i < count; ++i, x += stride) max(x, y, static_cast<std::size_t>(channels));
  }
  void end(const Frame& /*frame*/, int /*inside*/, int /*counted*/, T* /*y*/, int /*channels*/) const noexcept {}
};

struct MeanF32 {
  using Element = float;
  const kernels::ElementwiseKernel* kernel;
  Bounds bounds;

  void begin(const Frame& /*frame*/, float* y, int channels) const noexcept { std::fill_n(y, channels, 0.0F); }
  void add(const Frame& /*frame*/, const float* x, std::size_t count, std::ptrdiff_t stride, float* y, int channels) const noexcept {
    kernel->sum_rows_f32(x, count, stride, static_cast<std::size_t>(channels), y);
  }
  void end(const Frame& /*frame*/, int /*inside*/, int counted, float* y, int channels) const noexcept {
    kernel->scale_f32(y, y, static_cast<std::size_t>(channels), 1.0F / static_cast<float>(counted), bounds.low, bounds.high);
  }
};

struct MeanU8 {
  using Element = std::uint8_t;
  const kernels::ElementwiseKernel* kernel;
  MeanLevels mean;
  BufferId sums;

  void begin(const Frame& frame, std::uint8_t* /*y*/, int channels) const noexcept {
    std::fill_n(frame.at<std::int32_t>(sums), channels, 0);
  }
  void add(const Frame& frame, const std::uint8_t* x, std::size_t count, std::ptrdiff_t stride, std::uint8_t* /*y*/,
           int channels) const noexcept {
    kernel->sum_rows_u8(x, count, stride, static_cast<std::size_t>(channels), frame.at<std::int32_t>(sums));
  }
  void end(const Frame& frame, int inside, int counted, std::uint8_t* y, int channels) const noexcept {
    kernel->requantize(frame.at<const std::int32_t>(sums), static_cast<std::size_t>(channels), mean.x_zero * inside,
                       mean.factors[static_cast<std::size_t>(counted)], mean.to.low, mean.to.high, mean.to.zero, y);
  }
};

template <class Reduce>
std::unique_ptr<Step> make_pool(const PoolGeometry& geometry, BufferId x, BufferId y, Reduce reduce) {
  return std::make_unique<PoolStep<Reduce>>(geometry, x, y, std::move(reduce));
}

}  // namespace

Result<PoolGeometry> read_pool_geometry(const model::Node& node, const model::Dims& x, const model::Dims& y) {
  if ((x.size() != 3 && x.size() != 4) || y.size() != x.size()) {
    return fail(ErrorCode::kUnsupported, fmt::format("found x of shape {}, expected 1 or 2 spatial axes", model::to_string(x)));
  }
  for (const model::Dims& dims : {x, y}) {
    for (const std::int64_t extent : dims) {
      if (extent < 1 || extent > std::numeric_limits<std::int32_t>::max() / 4) {
        return fail(ErrorCode::kUnsupported, fmt::format("found extent {} in {}, expected 1 or more", extent, model::to_string(dims)));
      }
    }
  }
  const std::vector<std::int64_t> in(x.begin() + 2, x.end());
  const bool whole = !node.attributes.contains("kernel_shape");
  MORU_ASSIGN_OR_RETURN(auto window, model::ops::read_window(node, in));
  model::ops::resolve_padding(window, in);
  const auto axis = [&](std::size_t i) {
    const auto number = [](std::int64_t value) { return static_cast<int>(value); };
    if (whole) return PoolAxis{.in = number(in[i]), .kernel = number(in[i])};
    return PoolAxis{number(in[i]),
                    number(y[i + 2]),
                    number(window.kernel[i]),
                    number(window.strides[i]),
                    number(window.dilations[i]),
                    number(window.pads_begin[i]),
                    number(window.pads_end[i])};
  };
  PoolGeometry geometry{.batch = static_cast<int>(x[0]), .channels = static_cast<int>(x[1]), .y = {}, .x = axis(in.size() - 1)};
  if (in.size() == 2) geometry.y = axis(0);
  MORU_ASSIGN_OR_RETURN(const std::int64_t count_padding, model::int_attribute(node, "count_include_pad", 0));
  geometry.count_padding = count_padding != 0;
  return geometry;
}

Status add_max_pool(Lowering& lowering, const PoolGeometry& geometry, const Stored& x, const Stored& y) {
  const kernels::ElementwiseKernel& kernel = *lowering.kernels().elementwise;
  auto step = x.is_levels() ? make_pool(geometry, x.buffer, y.buffer, Max<std::uint8_t>{0, kernel.max_u8})
                            : make_pool(geometry, x.buffer, y.buffer, Max<float>{-std::numeric_limits<float>::infinity(), kernel.max_f32});
  lowering.add(std::move(step), {x.buffer, y.buffer});
  return {};
}

Status add_mean_pool(Lowering& lowering, const PoolGeometry& geometry, BufferId x, BufferId y, Bounds bounds) {
  lowering.add(make_pool(geometry, x, y, MeanF32{lowering.kernels().elementwise, bounds}), {x, y});
  return {};
}

Status add_mean_pool(Lowering& lowering, const PoolGeometry& geometry, BufferId x, BufferId y, MeanLevels mean) {
  const BufferId sums = lowering.scratch(static_cast<std::size_t>(geometry.channels) * sizeof(std::int32_t));
  lowering.add(make_pool(geometry, x, y, MeanU8{lowering.kernels().elementwise, std::move(mean), sums}), {x, y, sums});
  return {};
}

}  // namespace moru::runtime::engine
