// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace moru {

/// Counts of non-negative values in buckets of 1/32 relative width (HdrHistogram's scheme), for latencies in
/// nanoseconds. record() allocates and locks nothing. Threads: record() and reads from any thread; reads that run
/// beside writes see some recent state. Memory: 15 KiB.
class Histogram {
 public:
  void record(std::int64_t value);
  std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  std::int64_t max() const { return max_.load(std::memory_order_relaxed); }
  double mean() const;
  /// The upper edge of the bucket in which quantile `q` in [0, 1] lies; 0 when empty. Error at most 3.2 %.
  std::int64_t quantile(double q) const;
  std::uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  /// How many values are at or below each of `bounds` (which grow), and how many there are; all of one look at the buckets, so that
  /// they never fall. A value counts by the upper edge of its bucket.
  std::vector<std::uint64_t> counts_up_to(std::span<const std::int64_t> bounds) const;
  void reset();

 private:
  static constexpr int kSubBits = 5;
  static constexpr int kBuckets = (64 - kSubBits) * (1 << kSubBits);
  static int bucket_of(std::uint64_t value);
  static std::uint64_t upper_edge(int bucket);

  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> sum_{0};
  std::atomic<std::int64_t> max_{0};
};

}  // namespace moru
