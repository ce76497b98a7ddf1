// SPDX-License-Identifier: Apache-2.0
// The order in which images are shown to the trainer, and what is done to each on the way.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "forge/data/dataset.h"

namespace moru::forge {

struct BatchOptions {
  std::int64_t batch = 128;
  std::int64_t shift_px = 0;
  bool flip = false;
  std::uint64_t seed = 1;
};

/// Endless seeded batches: every image once an epoch, in a new order each time; the rest of an epoch that does not fill
/// a batch is left out. Borrows the set.
class Batches {
 public:
  Batches(const ImageSet& set, double mean, double std, const BatchOptions& options);

  std::int64_t per_epoch() const { return set_.size() / options_.batch; }
  /// Makes the next batch: images() [batch, 1, H, W] and labels() [batch].
  void next();
  std::span<const float> images() const { return images_; }
  std::span<const std::int64_t> labels() const { return labels_; }

 private:
  void place(std::span<const std::uint8_t> pixels, std::span<float> out);

  const ImageSet& set_;
  BatchOptions options_;
  std::array<float, 256> table_;
  Rng random_;
  std::vector<std::int64_t> order_;
  std::size_t position_ = 0;
  std::vector<float> images_;
  std::vector<std::int64_t> labels_;
};

}  // namespace moru::forge
