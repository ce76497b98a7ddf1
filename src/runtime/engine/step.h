// SPDX-License-Identifier: Apache-2.0
// What a plan is made of.
#pragma once

#include <algorithm>
#include <cstddef>

namespace moru::runtime::engine {

using BufferId = int;

/// The buffers of one run, each where it lies in it.
class Frame {
 public:
  explicit Frame(std::byte* const* buffers) : buffers_(buffers) {}
  template <class T>
  T* at(BufferId buffer) const {
    return reinterpret_cast<T*>(buffers_[buffer]);
  }
  std::byte* const* buffers() const { return buffers_; }

 private:
  std::byte* const* buffers_;
};

/// One call of a kernel, or a few. Immutable: several runs of one plan use it at once, and several workers of one run.
class Step {
 public:
  Step() = default;
  virtual ~Step() = default;
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  /// Allocates nothing, blocks nowhere, cannot fail.
  virtual void run(const Frame& frame) const noexcept = 0;
  /// What it can be cut into, so that several workers do it together.
  virtual int pieces() const noexcept { return 1; }
  /// Whether whoever begins at a piece does some of the pieces before it again: then it is cut into as few parts as there are workers.
  virtual bool repeats() const noexcept { return false; }
  /// Pieces [begin, end) of those. `frame` is the worker's: its scratch buffers are its own.
  virtual void run_pieces(const Frame& frame, int /*begin*/, int /*end*/) const noexcept { run(frame); }
};

/// A step in pieces: each writes elements of its own, and does so in the same way whoever does it and beside whatever others, so that
/// results do not depend on the number of workers. What the pieces are follows from shapes alone.
class SplitStep : public Step {
 public:
  explicit SplitStep(int pieces) : pieces_(pieces) {}
  void run(const Frame& frame) const noexcept final { run_pieces(frame, 0, pieces_); }
  int pieces() const noexcept final { return pieces_; }

 private:
  int pieces_;
};

/// Rows [begin, end).
struct RowRange {
  int begin = 0;
  int end = 0;
};

/// Which rows of an image a row of outputs reads.
struct RowReach {
  BufferId x = -1;
  BufferId y = -1;
  int in_rows = 0;
  int out_rows = 0;
  std::size_t in_row_bytes = 0;
  std::size_t out_row_bytes = 0;
  int rows = 1;  ///< that one row of outputs lies over
  int stride = 1;
  int pad_top = 0;

  int first_read(int out_begin) const { return std::clamp(out_begin * stride - pad_top, 0, in_rows); }
  int end_read(int out_end) const { return std::clamp((out_end - 1) * stride - pad_top + rows, 0, in_rows); }
};

/// A step from an image to an image, channels last. It can make some rows of its outputs alone: steps behind one another then do a few
/// rows each in turn (chain.h).
class RowStep : public SplitStep {
 public:
  RowStep(int pieces, int batch, const RowReach& reach) : SplitStep(pieces), batch_(batch), reach_(reach) {}
  int batch() const noexcept { return batch_; }
  const RowReach& reach() const noexcept { return reach_; }
  /// Rows [begin, end) of outputs, of a batch of one. They are the same bits however the rows are divided among calls.
  virtual void run_rows(const Frame& frame, int begin, int end) const noexcept = 0;

 private:
  int batch_;
  RowReach reach_;
};

/// A step on elements that have nothing to do with one another.
class ElementsStep : public SplitStep {
 public:
  explicit ElementsStep(std::size_t count) : SplitStep(static_cast<int>((count + kBlock - 1) / kBlock)), count_(count) {}
  void run_pieces(const Frame& frame, int begin, int end) const noexcept final {
    const std::size_t first = static_cast<std::size_t>(begin) * kBlock;
    run_elements(frame, first, std::min(static_cast<std::size_t>(end) * kBlock, count_) - first);
  }
  virtual void run_elements(const Frame& frame, std::size_t first, std::size_t count) const noexcept = 0;

 private:
  static constexpr std::size_t kBlock = 4096;  ///< some hundred ns of the simplest; a multiple of any register's lanes
  std::size_t count_;
};

}  // namespace moru::runtime::engine
