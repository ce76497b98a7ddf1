// SPDX-License-Identifier: Apache-2.0
// Convolutions of one and two spatial axes, channels last, on floats and on levels: by rows of a matrix product, or channel by channel.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/engine/matrix.h"

namespace moru::runtime::engine {

/// One spatial axis counts as two, of which the first has one row.
struct ConvGeometry {
  int batch = 0, in_h = 0, in_w = 0, channels = 0;
  int out_h = 0, out_w = 0, outputs = 0;
  int kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int pad_top = 0, pad_left = 0;
  int group = 1;
  int taps() const { return kernel_h * kernel_w; }
  int group_channels() const { return channels / group; }
  int group_outputs() const { return outputs / group; }
  bool is_depthwise() const { return group == channels && outputs == channels && group > 1; }
  /// An output reads one place of the input, its own.
  bool is_pointwise() const;
};

/// From a Conv or QConv whose x, w and y have these shapes. kUnsupported for more than two spatial axes.
Result<ConvGeometry> read_geometry(const model::Node& node, const model::Dims& x, const model::Dims& w, const model::Dims& y);

/// Where the rows of its matrix product come from: of a pointwise one they lie there, ready; kLines reads them where the image's rows
/// lie, a row of outputs at a time; else they are gathered before.
enum class ConvRows : std::uint8_t { kReady, kLines, kGathered };
ConvRows rows_of(const ConvGeometry& geometry, std::size_t element_bytes);
MatrixShape matrix_shape(const ConvGeometry& geometry, std::size_t element_bytes);

/// Weights [O, C/group, kernel...] as the kernels want them: of one group a row an output, taps before channels.
template <class T>
std::vector<T> rows_of_group(const ConvGeometry& geometry, std::span<const T> w, int group);
/// And of a depthwise convolution [taps, C].
template <class T>
std::vector<T> depthwise_rows(const ConvGeometry& geometry, std::span<const T> w);

/// Which buffers a convolution goes between.
struct ConvBuffers {
  BufferId x;
  BufferId y;
  BufferId residual = -1;  ///< of y's shape and layout; floats only
};

RowReach reach_of(const ConvGeometry& geometry, const ConvBuffers& buffers, std::size_t element_bytes);

/// Adds the steps. `matrices` has one a group; `padding` is what stands outside of x.
template <class Matrix>
Status add_convolution(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, std::vector<Matrix> matrices,
                       typename Matrix::Element padding);

/// Whether fewer products pay: see kernels/winograd_f32. The error is some times that of a plain sum.
bool suits_winograd(const ConvGeometry& geometry);
/// w [O, C, 3, 3].
Status add_winograd(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, std::span<const float> w,
                    std::span<const float> bias, Bounds bounds);

/// `call` has weights, bias and bounds.
Status add_depthwise(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, kernels::DepthwiseF32 call);
/// `call` has all but rows and out.
Status add_depthwise(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, const kernels::DepthwiseU8Kernel& kernel,
                     kernels::DepthwiseU8 call, std::uint8_t padding);

}  // namespace moru::runtime::engine
