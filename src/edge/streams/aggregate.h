// SPDX-License-Identifier: Apache-2.0
// What a window knows of the values it has seen: count, sum, mean, min, max, std, first, last, quantile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace moru::edge {

/// "mean(value)", "quantile(value, 0.95)", "count()"
struct Aggregate {
  enum class Kind : std::uint8_t { kCount, kSum, kMean, kMin, kMax, kStd, kFirst, kLast, kQuantile };
  Kind kind = Kind::kCount;
  std::string field;  ///< empty: count()
  double q = 0.0;     ///< of a quantile

  /// Errors: kInvalidArgument with `where` and the nearest known name.
  static Result<Aggregate> parse(std::string_view text, std::string_view where);
};

/// The values of one field in one window. Sums are Neumaier's, the variance is Welford's: a long window keeps its digits.
class Summary {
 public:
  void add(double value, TimeNs time, bool keep);
  void merge(const Summary& other);
  /// Of no value: NaN, but of count. A quantile is exact: linear between the two nearest (R's type 7), of the values kept.
  double value(const Aggregate& aggregate) const;
  std::uint64_t count() const { return count_; }
  std::size_t kept() const { return values_.size(); }

 private:
  double quantile(double q) const;

  std::uint64_t count_ = 0;
  double sum_ = 0.0;
  double lost_ = 0.0;  // digits that the sum could not hold
  double mean_ = 0.0;
  double squares_ = 0.0;
  double min_ = 0.0;
  double max_ = 0.0;
  double first_ = 0.0;
  double last_ = 0.0;
  TimeNs first_time_ = 0;
  TimeNs last_time_ = 0;
  mutable std::vector<double> values_;
};

}  // namespace moru::edge
