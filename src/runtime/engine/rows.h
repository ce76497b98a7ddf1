// SPDX-License-Identifier: Apache-2.0
// The input rows that a row of a convolution's outputs reads, padding in them, so that kernels need not know where an image ends.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "runtime/engine/convolution.h"

namespace moru::runtime::engine {

/// Rows of a kernel that PaddedRows can point at.
inline constexpr int kMostKernelRows = 64;

/// Columns that the outputs of a row read, padding included.
inline int read_columns(const ConvGeometry& it) { return (it.out_w - 1) * it.stride_w + (it.kernel_w - 1) * it.dilation_w + 1; }

/// Walks down the images of a batch. Where columns are padded, rows are copied into a ring, each once; else they are read where they lie.
template <class T>
class PaddedRows {
 public:
  /// Bytes of the memory it works in.
  static std::size_t memory_bytes(const ConvGeometry& geometry) {
    return (static_cast<std::size_t>(ring_rows(geometry)) + 1) * row_elements(geometry) * sizeof(T);
  }

  PaddedRows(const ConvGeometry& geometry, T padding, T* memory) noexcept
      : it_(geometry),
        row_(static_cast<std::ptrdiff_t>(row_elements(geometry))),
        reach_(reach(geometry)),
        ring_rows_(ring_rows(geometry)),
        columns_(std::clamp(read_columns(geometry) - geometry.pad_left, 0, geometry.in_w)),
        pads_(geometry.pad_left > 0 || read_columns(geometry) > geometry.in_w),
        ring_(memory),
        outside_(memory + ring_rows_ * row_) {
    if (it_.pad_top > 0 || (it_.out_h - 1) * it_.stride_h - it_.pad_top + reach_ > it_.in_h) std::fill_n(outside_, row_, padding);
    if (pads_) fill_sides(padding);
  }

  void start(const T* image) noexcept {
    image_ = image;
    next_ = 0;
  }

  /// Output rows that at() can give the rows of at once.
  static int most_at_once(const ConvGeometry& it) { return it.dilation_h == 1 ? std::min(kAhead / it.stride_h + 1, it.out_h) : 1; }

  /// One pointer a row of the kernel, each at the first column that output row `y` reads; for `count` rows of outputs also those that
  /// the further ones read. Rows are asked for from the top down; the pointers are good until the next call.
  const T* const* at(int y, int count = 1) noexcept {
    const int top = y * it_.stride_h - it_.pad_top;
    const int more = (count - 1) * it_.stride_h;
    if (pads_) fill_ring(top, top + more);
    for (int i = 0; i < it_.kernel_h + more; ++i) {
      const int row = top + i * it_.dilation_h;
      const T* inside = pads_ ? slot(row) : image_ + row * line();
      pointers_[static_cast<std::size_t>(i)] = row < 0 || row >= it_.in_h ? outside_ : inside;
    }
    return pointers_.data();
  }

 private:
  static constexpr int kAhead = 24;
  /// Rows that a row of outputs lies over.
  static int reach(const ConvGeometry& it) { return (it.kernel_h - 1) * it.dilation_h + 1; }
  /// Many are copied at a time: what was written just before is slow to read.
  static int ring_rows(const ConvGeometry& it) { return std::max(reach(it), std::min(it.in_h, reach(it) + kAhead)); }
  static std::size_t row_elements(const ConvGeometry& it) {
    return static_cast<std::size_t>(std::max(read_columns(it), it.in_w)) * static_cast<std::size_t>(it.channels);
  }
  std::ptrdiff_t line() const { return std::ptrdiff_t{it_.in_w} * it_.channels; }
  T* slot(int row) const { return ring_ + std::max(row, 0) % ring_rows_ * row_; }

  /// The columns of the ring that no row of the image is copied into.
  void fill_sides(T padding) noexcept {
    const std::ptrdiff_t left = std::ptrdiff_t{it_.pad_left} * it_.channels;
    const std::ptrdiff_t inside = left + std::ptrdiff_t{columns_} * it_.channels;
    for (T* row = ring_; row != outside_; row += row_) {
      std::fill_n(row, left, padding);
      std::fill(row + inside, row + row_, padding);
    }
  }

  /// With all rows that outputs whose first row is `top` to `last_top` read.
  void fill_ring(int top, int last_top) noexcept {
    if (next_ >= std::min(last_top + reach_, it_.in_h)) return;
    const int end = std::min(std::max(top, 0) + ring_rows_, it_.in_h);
    for (next_ = std::max(next_, top); next_ < end; ++next_) {
      std::copy_n(image_ + next_ * line(), std::ptrdiff_t{columns_} * it_.channels,
                  slot(next_) + std::ptrdiff_t{it_.pad_left} * it_.channels);
    }
  }

  const ConvGeometry& it_;
  std::ptrdiff_t row_;
  int reach_;
  int ring_rows_;
  int columns_;
  bool pads_;
  T* ring_;
  T* outside_;  ///< a row of padding
  const T* image_ = nullptr;
  int next_ = 0;  ///< the first row of the image that is not in the ring yet
  std::array<const T*, kMostKernelRows + kAhead> pointers_;
};

}  // namespace moru::runtime::engine
