// SPDX-License-Identifier: Apache-2.0
// Steps behind one another that work row by row, done a band of rows at a time: an inverted residual (expand, depthwise, project) never
// has its wide values in memory as a whole, only the rows that the next step reads. So they stay in the near cache, the arena is
// smaller, and several workers meet once a chain instead of once a step. (Alwani, Chen, Ferdman and Milder, "Fused-Layer CNN
// Accelerators", MICRO 2016; rows that two bands read are kept, not made again.)
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/engine/step.h"

namespace moru::runtime::engine {

/// Steps of a chain, at most.
inline constexpr std::size_t kMostChained = 8;

/// What a band asks of each step, and of the value between each and the next.
struct Band {
  std::array<RowRange, kMostChained> made;  ///< rows of outputs, by step
  std::array<RowRange, kMostChained> kept;  ///< rows that lie in memory once they are made, by step; of the last: nothing
};

/// The next band, rows `out` of the last step's, after `before`; without one nothing is there yet. Bands go from the top down, each
/// beginning where the one before ended.
Band next_band(const std::vector<RowReach>& chain, const Band* before, RowRange out) noexcept;

/// Rows of outputs that a band has, and how many rows of each value between two steps are in memory at once.
struct ChainShape {
  int band_rows = 0;
  std::vector<int> rows;  ///< one fewer than steps
};
/// The largest bands whose values between steps take at most `most_bytes` together; nothing where even the smallest that make sense do not,
/// or where one band would be the whole image.
std::optional<ChainShape> shape_chain(const std::vector<RowReach>& chain, std::size_t most_bytes);

/// A piece is a band.
class ChainStep final : public SplitStep {
 public:
  /// `steps` are RowSteps; what lies between them is in scratch buffers of as many rows as `shape` says. `table` is scratch for
  /// `buffers` pointers.
  ChainStep(std::vector<std::unique_ptr<Step>> steps, std::vector<RowReach> chain, const ChainShape& shape, BufferId table,
            std::size_t buffers);
  void run_pieces(const Frame& frame, int begin, int end) const noexcept override;
  bool repeats() const noexcept override { return true; }

 private:
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<RowReach> chain_;
  int band_rows_;
  BufferId table_;
  std::size_t buffers_;
};

}  // namespace moru::runtime::engine
