// SPDX-License-Identifier: Apache-2.0
// The sliding window that convolution and pooling share: how kernel, strides, dilations and padding give output extents.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"
#include "model/ops/op.h"
#include "model/tensor/tensor.h"

namespace moru::model::ops {

inline constexpr AttributeSpec kAutoPad = {"auto_pad", AttributeKind::kString, "NOTSET (use pads), SAME_UPPER, SAME_LOWER or VALID"};
inline constexpr AttributeSpec kStrides = {"strides", AttributeKind::kInts, "step of the window, one a spatial axis; 1"};

enum class AutoPad : std::uint8_t { kExplicit, kSameUpper, kSameLower, kValid };

/// One entry a spatial axis.
struct Window {
  AutoPad auto_pad = AutoPad::kExplicit;
  bool ceil_mode = false;
  std::vector<std::int64_t> kernel;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
  std::vector<std::int64_t> pads_begin;
  std::vector<std::int64_t> pads_end;

  std::size_t rank() const { return kernel.size(); }
  /// What the kernel covers: dilation * (kernel - 1) + 1.
  std::int64_t reach(std::size_t axis) const { return dilations[axis] * (kernel[axis] - 1) + 1; }
};

/// Reads kernel_shape, strides, dilations, pads, auto_pad and ceil_mode of a node for as many axes as `kernel` has, which
/// is the kernel unless kernel_shape is there. Every number is below 2^20 afterwards, so that sums with extents fit.
Result<Window> read_window(const Node& node, std::span<const std::int64_t> kernel);

/// Number of spatial axes of a pooling node, from kernel_shape.
Result<std::vector<std::int64_t>> required_kernel(const Node& node);

/// Extents after the window went over `input`. Unknown stays unknown. kInvalidArgument when the window does not fit.
Result<std::vector<Dim>> output_extents(const Window& window, std::span<const Dim> input);

/// Sets pads_begin and pads_end for auto_pad, for known extents that output_extents() accepts.
void resolve_padding(Window& window, std::span<const std::int64_t> input);

}  // namespace moru::model::ops
