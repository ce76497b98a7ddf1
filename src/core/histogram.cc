// SPDX-License-Identifier: Apache-2.0
#include "core/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace moru {

int Histogram::bucket_of(std::uint64_t value) {
  if (value < (1U << kSubBits)) return static_cast<int>(value);
  const int exponent = 63 - std::countl_zero(value);
  const auto mantissa = static_cast<int>(value >> static_cast<unsigned>(exponent - kSubBits)) & ((1 << kSubBits) - 1);
  return ((exponent - kSubBits + 1) << kSubBits) + mantissa;
}

std::uint64_t Histogram::upper_edge(int bucket) {
  if (bucket < (1 << kSubBits)) return static_cast<std::uint64_t>(bucket);
  const auto shift = static_cast<unsigned>((bucket >> kSubBits) - 1);
  const auto mantissa = static_cast<std::uint64_t>(bucket & ((1 << kSubBits) - 1)) | (std::uint64_t{1} << kSubBits);
  return ((mantissa + 1) << shift) - 1;
}

void Histogram::record(std::int64_t value) {
  value = std::max<std::int64_t>(value, 0);
  buckets_[static_cast<std::size_t>(bucket_of(static_cast<std::uint64_t>(value)))].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(static_cast<std::uint64_t>(value), std::memory_order_relaxed);
  std::int64_t seen = max_.load(std::memory_order_relaxed);
  while (value > seen && !max_.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

double Histogram::mean() const {
  const auto n = count();
  return n == 0 ? 0.0 : static_cast<double>(sum_.load(std::memory_order_relaxed)) / static_cast<double>(n);
}

std::int64_t Histogram::quantile(double q) const {
  std::uint64_t total = 0;
  for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
  if (total == 0) return 0;
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total))));
  std::uint64_t seen = 0;
  for (int i = 0; i < kBuckets; ++i) {
    seen += buckets_[static_cast<std::size_t>(i)].load(std::memory_order_relaxed);
    if (seen >= rank) return std::min(static_cast<std::int64_t>(upper_edge(i)), max());
  }
  return max();
}

std::vector<std::uint64_t> Histogram::counts_up_to(std::span<const std::int64_t> bounds) const {
  std::vector<std::uint64_t> counts;
  std::uint64_t seen = 0;
  for (int i = 0; i < kBuckets; ++i) {
    // The upper edge of the last buckets is beyond what a signed number holds; no bound is.
    while (counts.size() < bounds.size() && upper_edge(i) > static_cast<std::uint64_t>(bounds[counts.size()])) counts.push_back(seen);
    seen += buckets_[static_cast<std::size_t>(i)].load(std::memory_order_relaxed);
  }
  counts.resize(bounds.size(), seen);
  counts.push_back(seen);
  return counts;
}

void Histogram::reset() {
  for (auto& bucket : buckets_) bucket.store(0, std::memory_order_relaxed);
  count_ = 0;
  sum_ = 0;
  max_ = 0;
}

}  // namespace moru
