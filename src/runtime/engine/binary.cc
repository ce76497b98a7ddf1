// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/binary.h"

#include <algorithm>

namespace moru::runtime::engine {
namespace {

struct Axis {
  std::int64_t extent;
  std::int64_t a;  ///< strides; 0 where an operand stretches
  std::int64_t b;
};

class BinaryStep final : public SplitStep {
 public:
  struct Buffers {
    BufferId a;
    BufferId b;
    BufferId y;
  };
  BinaryStep(const Buffers& buffers, std::vector<Axis> axes, kernels::BinaryMap map, Bounds bounds)
      : SplitStep(static_cast<int>((axes.front().extent + block_of(axes) - 1) / block_of(axes))),
        buffers_(buffers),
        axes_(std::move(axes)),
        map_(map),
        bounds_(bounds) {
    for (std::size_t i = 1; i < axes_.size(); ++i) y_step_ *= axes_[i].extent;
  }

  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    Axis axis = axes_.front();
    const std::int64_t block = block_of(axes_);
    const std::int64_t first = begin * block;
    axis.extent = std::min(end * block, axis.extent) - first;
    walk(0, axis, frame.at<const float>(buffers_.a) + first * axis.a, frame.at<const float>(buffers_.b) + first * axis.b,
         frame.at<float>(buffers_.y) + first * y_step_);
  }

 private:
  /// A piece is an index of the outermost axis, or so many of the only one.
  static std::int64_t block_of(const std::vector<Axis>& axes) { return axes.size() > 1 ? 1 : 4096; }

  float* walk(std::size_t depth, const Axis& axis, const float* a, const float* b, float* y) const noexcept {
    if (depth + 1 < axes_.size()) {
      for (std::int64_t i = 0; i < axis.extent; ++i) y = walk(depth + 1, axes_[depth + 1], a + i * axis.a, b + i * axis.b, y);
      return y;
    }
    map_({.a = a,
          .b = b,
          .a_step = static_cast<std::size_t>(axis.a),
          .b_step = static_cast<std::size_t>(axis.b),
          .y = y,
          .count = static_cast<std::size_t>(axis.extent),
          .low = bounds_.low,
          .high = bounds_.high});
    return y + axis.extent;
  }

  Buffers buffers_;
  std::vector<Axis> axes_;
  kernels::BinaryMap map_;
  Bounds bounds_;
  std::int64_t y_step_ = 1;  ///< elements of y from one index of the outermost axis to the next
};

/// Strides of an operand along the axes of `y`, in the order y lies in.
model::Dims strides_in(const Stored& operand, const Stored& y) {
  model::Dims logical = logical_strides(operand);
  for (std::size_t i = 0; i < logical.size(); ++i) logical[i] = operand.dims[i] == 1 ? 0 : logical[i];
  logical.insert(logical.begin(), y.dims.size() - logical.size(), 0);
  if (y.layout == Layout::kChannelsLast) std::rotate(logical.begin() + 1, logical.begin() + 2, logical.end());
  return logical;
}

std::vector<Axis> axes_of(const Stored& a, const Stored& b, const Stored& y) {
  const model::Dims extents = y.physical_dims();
  const model::Dims a_strides = strides_in(a, y);
  const model::Dims b_strides = strides_in(b, y);
  std::vector<Axis> axes;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const Axis axis{extents[i], a_strides[i], b_strides[i]};
    if (axis.extent == 1) continue;
    if (!axes.empty() && axes.back().a == axis.a * axis.extent && axes.back().b == axis.b * axis.extent) {
      axes.back() = {axes.back().extent * axis.extent, axis.a, axis.b};
    } else {
      axes.push_back(axis);
    }
  }
  // The innermost one is what the kernel walks: side by side, or one number for all.
  const auto walks = [](std::int64_t stride) { return stride == 0 || stride == 1; };
  if (axes.empty() || !walks(axes.back().a) || !walks(axes.back().b)) axes.push_back({y.count() == 0 ? 0 : 1, 1, 1});
  return axes;
}

}  // namespace

Status lower_binary(Lowering& lowering, const model::Node& node, kernels::BinaryMap map) {
  MORU_ASSIGN_OR_RETURN(const Stored a, lowering.input(node, 0));
  MORU_ASSIGN_OR_RETURN(const Stored b, lowering.input(node, 1));
  if (a.is_levels() || b.is_levels()) return fail(ErrorCode::kUnsupported, "expected float32");
  model::ValueId value = node.outputs.front();
  const Bounds bounds = lowering.absorb_bounds(value);
  const bool follows_a = a.count() >= b.count();
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(value, follows_a ? a.layout : b.layout));
  lowering.add(std::make_unique<BinaryStep>(BinaryStep::Buffers{a.buffer, b.buffer, y.buffer}, axes_of(a, b, y), map, bounds),
               {a.buffer, b.buffer, y.buffer});
  return {};
}

}  // namespace moru::runtime::engine
