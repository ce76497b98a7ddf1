// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/copy.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace moru::runtime::engine {
namespace {

struct Axis {
  std::int64_t extent;
  std::int64_t from;
  std::int64_t to;
};

/// Axes that are one run on both sides become one; those of extent 1 go.
std::vector<Axis> merged(const Copy& copy) {
  std::vector<Axis> axes;
  for (std::size_t i = 0; i < copy.dims.size(); ++i) {
    const Axis axis{copy.dims[i], copy.from_strides[i], copy.to_strides[i]};
    if (axis.extent == 1) continue;
    if (!axes.empty() && axes.back().from == axis.from * axis.extent && axes.back().to == axis.to * axis.extent) {
      axes.back() = {axes.back().extent * axis.extent, axis.from, axis.to};
    } else {
      axes.push_back(axis);
    }
  }
  if (axes.empty()) axes.push_back({1, 1, 1});
  return axes;
}

constexpr std::int64_t kFewElements = 4;

template <class T>
class CopyStep final : public SplitStep {
 public:
  CopyStep(BufferId from, BufferId to, const Copy& copy) : CopyStep(from, to, copy, merged(copy)) {}

  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    Axis axis = axes_.front();
    const std::int64_t first = begin * block_;
    axis.extent = std::min(end * block_, axis.extent) - first;
    copy(0, axis, frame.at<const T>(from_) + from_offset_ + first * axis.from, frame.at<T>(to_) + to_offset_ + first * axis.to);
  }

 private:
  CopyStep(BufferId from, BufferId to, const Copy& copy, std::vector<Axis> axes)
      : SplitStep(static_cast<int>((axes.front().extent + block_of(axes) - 1) / block_of(axes))),
        from_(from),
        to_(to),
        from_offset_(copy.from_offset),
        to_offset_(copy.to_offset),
        axes_(std::move(axes)),
        block_(block_of(axes_)) {}

  /// Indices of the outermost axis that are a piece: some thousands of elements.
  static std::int64_t block_of(const std::vector<Axis>& axes) {
    constexpr std::int64_t kElements = 4096;
    std::int64_t inside = 1;
    for (std::size_t i = 1; i < axes.size(); ++i) inside *= axes[i].extent;
    return std::max<std::int64_t>(kElements / std::max<std::int64_t>(inside, 1), 1);
  }

  void copy(std::size_t depth, const Axis& axis, const T* from, T* to) const noexcept {
    if (depth + 2 == axes_.size() && axes_.back().extent <= kFewElements) {
      few(axis, axes_.back(), from, to);
    } else if (depth + 1 < axes_.size()) {
      for (std::int64_t i = 0; i < axis.extent; ++i) copy(depth + 1, axes_[depth + 1], from + i * axis.from, to + i * axis.to);
    } else if (axis.from == 1 && axis.to == 1) {
      std::memcpy(to, from, static_cast<std::size_t>(axis.extent) * sizeof(T));
    } else {
      for (std::int64_t i = 0; i < axis.extent; ++i) to[i * axis.to] = from[i * axis.from];
    }
  }

  /// Channels of an image, say.
  static void few(const Axis& outer, const Axis& inner, const T* from, T* to) noexcept {
    switch (inner.extent) {
      case 2: return few<2>(outer, inner, from, to);
      case 3: return few<3>(outer, inner, from, to);
      default: return few<kFewElements>(outer, inner, from, to);
    }
  }
  template <int kCount>
  static void few(const Axis& outer, const Axis& inner, const T* from, T* to) noexcept {
    for (std::int64_t i = 0; i < outer.extent; ++i, from += outer.from, to += outer.to) {
      for (int j = 0; j < kCount; ++j) to[j * inner.to] = from[j * inner.from];
    }
  }

  BufferId from_;
  BufferId to_;
  std::int64_t from_offset_;
  std::int64_t to_offset_;
  std::vector<Axis> axes_;
  std::int64_t block_;
};

class InterleaveStep final : public Step {
 public:
  InterleaveStep(BufferId from, BufferId to, const Planes& planes, const kernels::Kernels& kernels)
      : from_(from), to_(to), planes_(planes), kernel_(kernels.elementwise->interleave_f32) {}

  void run(const Frame& frame) const noexcept override {
    const std::size_t size = planes_.places * static_cast<std::size_t>(planes_.channels);
    for (std::size_t n = 0; n < planes_.batch; ++n) {
      kernel_(frame.at<const float>(from_) + n * size, planes_.places, planes_.channels, frame.at<float>(to_) + n * size);
    }
  }

 private:
  BufferId from_;
  BufferId to_;
  Planes planes_;
  void (*kernel_)(const float* x, std::size_t count, int channels, float* y);
};

}  // namespace

model::Dims dense_strides(std::span<const std::int64_t> dims) {
  model::Dims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

std::unique_ptr<Step> make_copy(BufferId from, BufferId to, const Copy& copy, std::size_t element_bytes) {
  switch (element_bytes) {
    case 1: return std::make_unique<CopyStep<std::uint8_t>>(from, to, copy);
    case 2: return std::make_unique<CopyStep<std::uint16_t>>(from, to, copy);
    case 4: return std::make_unique<CopyStep<std::uint32_t>>(from, to, copy);
    default: return std::make_unique<CopyStep<std::uint64_t>>(from, to, copy);
  }
}

std::unique_ptr<Step> make_interleave(BufferId from, BufferId to, const Planes& planes, const kernels::Kernels& kernels) {
  return std::make_unique<InterleaveStep>(from, to, planes, kernels);
}

}  // namespace moru::runtime::engine
