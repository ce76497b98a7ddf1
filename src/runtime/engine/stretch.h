// SPDX-License-Identifier: Apache-2.0
// Operands that stretch to one shape (NumPy's rule), walked together whatever the layouts they lie in.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

/// Strides of an operand along the axes of `y`, in the order y lies in; 0 where it stretches.
model::Dims stretched_strides(const Stored& operand, const Stored& y);

/// Whether each element of the operand lies where that of `y` does which is made of it.
bool lies_as(const Stored& operand, const Stored& y);

/// After a step that makes each element of `y` of one of each operand: lets y take the place of those that lie as it does.
void may_overwrite(Lowering& lowering, std::span<const Stored> operands, const Stored& y);

template <std::size_t kOperands>
class Stretch {
 public:
  using Places = std::array<std::int64_t, kOperands>;
  struct Axis {
    std::int64_t extent;
    Places steps;
  };

  Stretch(const std::array<Stored, kOperands>& operands, const Stored& y) {
    const model::Dims extents = y.physical_dims();
    std::array<model::Dims, kOperands> strides;
    for (std::size_t k = 0; k < kOperands; ++k) strides[k] = stretched_strides(operands[k], y);
    for (std::size_t i = 0; i < extents.size(); ++i) {
      Axis axis{extents[i], {}};
      for (std::size_t k = 0; k < kOperands; ++k) axis.steps[k] = strides[k][i];
      if (axis.extent != 1) append(axis);
    }
    // The innermost one is what a kernel walks: side by side, or one number for all.
    const auto walks = [](std::int64_t step) { return step == 0 || step == 1; };
    if (axes_.empty() || !std::ranges::all_of(axes_.back().steps, walks)) {
      Axis one{y.count() == 0 ? 0 : 1, {}};
      one.steps.fill(1);
      axes_.push_back(one);
    }
    for (std::size_t i = 1; i < axes_.size(); ++i) inner_ *= axes_[i].extent;
  }

  /// What a walk can be cut into: an index of the outermost axis each, or so many of the only one.
  int pieces() const { return static_cast<int>((axes_.front().extent + block() - 1) / block()); }

  /// line(places, to, axis): axis.extent elements from those places of the operands on, their steps 0 or 1, to place `to` of the result.
  /// Of pieces [begin, end).
  template <class Line>
  void for_each_line(int begin, int end, Line line) const noexcept {
    Axis axis = axes_.front();
    const std::int64_t first = begin * block();
    axis.extent = std::min(end * block(), axis.extent) - first;
    Places places;
    for (std::size_t k = 0; k < kOperands; ++k) places[k] = first * axis.steps[k];
    std::int64_t to = first * inner_;
    walk(0, axis, places, to, line);
  }
  template <class Line>
  void for_each_line(Line line) const noexcept {
    for_each_line(0, pieces(), line);
  }

 private:
  void append(const Axis& axis) {
    const auto continues = [&](std::size_t k) { return axes_.back().steps[k] == axis.steps[k] * axis.extent; };
    bool joins = !axes_.empty();
    for (std::size_t k = 0; joins && k < kOperands; ++k) joins = continues(k);
    if (joins) {
      axes_.back() = {axes_.back().extent * axis.extent, axis.steps};
    } else {
      axes_.push_back(axis);
    }
  }

  std::int64_t block() const { return axes_.size() > 1 ? 1 : 4096; }

  template <class Line>
  void walk(std::size_t depth, const Axis& axis, Places places, std::int64_t& to, Line& line) const noexcept {
    if (depth + 1 == axes_.size()) {
      line(places, to, axis);
      to += axis.extent;
      return;
    }
    for (std::int64_t i = 0; i < axis.extent; ++i) {
      walk(depth + 1, axes_[depth + 1], places, to, line);
      for (std::size_t k = 0; k < kOperands; ++k) places[k] += axis.steps[k];
    }
  }

  std::vector<Axis> axes_;
  std::int64_t inner_ = 1;  ///< elements of the result from one index of the outermost axis to the next
};

}  // namespace moru::runtime::engine
