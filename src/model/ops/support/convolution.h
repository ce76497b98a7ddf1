// SPDX-License-Identifier: Apache-2.0
// What all convolutions share: shapes, and the walk over images, groups, channels and taps.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/window.h"

namespace moru::model::ops {

inline constexpr AttributeSpec kDilations = {"dilations", AttributeKind::kInts, "distance of the kernel's taps, one a spatial axis; 1"};
inline constexpr AttributeSpec kGroup = {"group", AttributeKind::kInt, "channels are split into so many independent convolutions; 1"};

/// Types are the caller's. Checks the shapes of inputs `x` [N, C, spatial...], `w` [O, C/group, kernel...] and `b` [O], and
/// gives Y [N, O, spatial...]; nullopt when a rank is unknown.
Result<std::optional<SymbolicShape>> infer_convolution(const InferContext& context, std::size_t x, std::size_t w,
                                                       std::optional<std::size_t> b);

/// 'group', which must be 1 or more.
Result<std::int64_t> read_group(const Node& node);

/// Each element of the output sums over the channels of its group and the kernel, which are input `w`'s last axes.
std::optional<std::int64_t> convolution_macs(const InferContext& context, std::size_t w);

/// A convolution of known shapes.
struct Convolution {
  std::int64_t batch = 0;
  std::int64_t channels = 0;
  std::int64_t outputs = 0;
  std::int64_t group = 1;
  std::vector<std::int64_t> in;   ///< spatial extents of X
  std::vector<std::int64_t> out;  ///< and of Y
  Window window;                  ///< with its padding resolved
};
Result<Convolution> read_convolution(const Node& node, const Dims& x, const Dims& w, const Dims& y);

/// One input channel through one kernel: sum[o] += sum over taps of w[tap] * x[o * stride - pad + tap * dilation].
/// Taps are the outer loop, so that the inner one is a plain run along a row.
template <class T, class Sum>
void add_channel(const Convolution& convolution, const T* x, const T* w, Sum* sum) {
  const Window& window = convolution.window;
  const auto& in = convolution.in;
  const auto& out = convolution.out;
  const std::size_t last = window.rank() - 1;
  const auto in_strides = strides_of(in);
  const std::span<const std::int64_t> out_rows = std::span(out).first(last);
  std::vector<std::int64_t> tap(window.rank(), 0);
  std::vector<std::int64_t> row(last, 0);
  do {
    const auto weight = static_cast<Sum>(*w++);
    // Along a row: the outputs whose input at this tap is not padding.
    const std::int64_t offset = tap[last] * window.dilations[last] - window.pads_begin[last];
    const std::int64_t stride = window.strides[last];
    const std::int64_t begin = offset < 0 ? (-offset + stride - 1) / stride : 0;
    const std::int64_t end = offset >= in[last] ? 0 : std::min(out[last], (in[last] - 1 - offset) / stride + 1);
    Sum* to = sum;
    do {
      std::int64_t from = offset;
      bool inside = true;
      for (std::size_t axis = 0; axis < last; ++axis) {
        const std::int64_t at = row[axis] * window.strides[axis] - window.pads_begin[axis] + tap[axis] * window.dilations[axis];
        inside = inside && at >= 0 && at < in[axis];
        from += at * in_strides[axis];
      }
      if (inside) {
        for (std::int64_t i = begin; i < end; ++i) to[i] += weight * static_cast<Sum>(x[from + i * stride]);
      }
      to += out[last];
    } while (next_index(row, out_rows));
  } while (next_index(tap, window.kernel));
}

/// Calls store(o, sums) for each image and output channel in order, where `sums` has an element a place of the plane and
/// began at first(o).
template <class Sum, class T, class First, class Store>
void convolve(const Convolution& convolution, std::span<const T> x, std::span<const T> w, First first, Store store) {
  const std::int64_t in_size = product_of(convolution.in);
  const std::int64_t kernel_size = product_of(convolution.window.kernel);
  const std::int64_t group_inputs = convolution.channels / convolution.group;
  const std::int64_t group_outputs = convolution.outputs / convolution.group;
  std::vector<Sum> sum(static_cast<std::size_t>(product_of(convolution.out)));
  for (std::int64_t n = 0; n < convolution.batch; ++n) {
    for (std::int64_t o = 0; o < convolution.outputs; ++o) {
      std::ranges::fill(sum, first(static_cast<std::size_t>(o)));
      for (std::int64_t c = 0; c < group_inputs; ++c) {
        const std::int64_t channel = o / group_outputs * group_inputs + c;
        add_channel(convolution, x.data() + (n * convolution.channels + channel) * in_size, w.data() + (o * group_inputs + c) * kernel_size,
                    sum.data());
      }
      store(static_cast<std::size_t>(o), std::span<const Sum>(sum));
    }
  }
}

}  // namespace moru::model::ops
