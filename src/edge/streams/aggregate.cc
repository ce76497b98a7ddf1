// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/aggregate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "core/text.h"

namespace moru::edge {
namespace {

using Kind = Aggregate::Kind;

constexpr std::array<std::pair<std::string_view, Kind>, 9> kKinds = {{{"count", Kind::kCount},
                                                                      {"sum", Kind::kSum},
                                                                      {"mean", Kind::kMean},
                                                                      {"min", Kind::kMin},
                                                                      {"max", Kind::kMax},
                                                                      {"std", Kind::kStd},
                                                                      {"first", Kind::kFirst},
                                                                      {"last", Kind::kLast},
                                                                      {"quantile", Kind::kQuantile}}};

}  // namespace

Result<Aggregate> Aggregate::parse(std::string_view text, std::string_view where) {
  const auto mistake = [&](std::string_view found, std::string_view expected) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} in {}, expected {}", where, found, in_quotes(text), expected));
  };
  const auto open = text.find('(');
  if (open == std::string_view::npos || !text.ends_with(')')) return mistake("no brackets", "FUNCTION(FIELD), as in mean(value)");
  const std::string name(trim(text.substr(0, open)));
  const auto kind = std::ranges::find(kKinds, std::string_view(name), [](const auto& one) { return one.first; });
  if (kind == kKinds.end()) {
    std::vector<std::string> known;
    for (const auto& one : kKinds) known.emplace_back(one.first);
    return mistake(fmt::format("unknown function '{}'{}", name, did_you_mean(name, known)),
                   "count, sum, mean, min, max, std, first, last or quantile");
  }
  Aggregate aggregate{.kind = kind->second, .field = {}};
  const auto arguments = split(text.substr(open + 1, text.size() - open - 2), ',');
  aggregate.field = trim(arguments[0]);
  const std::size_t wanted = aggregate.kind == Kind::kQuantile ? 2 : 1;
  if (arguments.size() != wanted) return mistake(fmt::format("{} arguments", arguments.size()), fmt::format("{}", wanted));
  if (aggregate.field.empty() != (aggregate.kind == Kind::kCount))
    return mistake(aggregate.field.empty() ? "no field" : "a field", aggregate.field.empty() ? "one" : "count() to have none");
  if (wanted == 2) {
    const auto q = trim(arguments[1]);
    const auto read = std::from_chars(q.data(), q.data() + q.size(), aggregate.q);
    if (read.ec != std::errc() || read.ptr != q.data() + q.size() || !(aggregate.q >= 0.0 && aggregate.q <= 1.0))
      return mistake(in_quotes(q), "a number from 0 to 1");
  }
  return aggregate;
}

void Summary::add(double value, TimeNs time, bool keep) {
  if (count_ == 0 || time < first_time_) {
    first_ = value;
    first_time_ = time;
  }
  if (count_ == 0 || time >= last_time_) {
    last_ = value;
    last_time_ = time;
  }
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = count_ == 0 ? value : std::max(max_, value);
  ++count_;
  const double sum = sum_ + value;
  lost_ += std::abs(sum_) >= std::abs(value) ? (sum_ - sum) + value : (value - sum) + sum_;
  sum_ = sum;
  const double delta = value - mean_;
  mean_ += delta / static_cast<double>(count_);
  squares_ += delta * (value - mean_);
  if (keep) values_.push_back(value);
}

void Summary::merge(const Summary& other) {
  if (other.count_ == 0) return;
  if (count_ == 0) {
    *this = other;
    return;
  }
  if (other.first_time_ < first_time_) {
    first_ = other.first_;
    first_time_ = other.first_time_;
  }
  if (other.last_time_ >= last_time_) {
    last_ = other.last_;
    last_time_ = other.last_time_;
  }
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  const auto a = static_cast<double>(count_);
  const auto b = static_cast<double>(other.count_);
  const double delta = other.mean_ - mean_;  // Chan, Golub and LeVeque
  squares_ += other.squares_ + delta * delta * a * b / (a + b);
  mean_ += delta * b / (a + b);
  count_ += other.count_;
  const double sum = sum_ + other.sum_;
  lost_ += other.lost_ + (std::abs(sum_) >= std::abs(other.sum_) ? (sum_ - sum) + other.sum_ : (other.sum_ - sum) + sum_);
  sum_ = sum;
  values_.insert(values_.end(), other.values_.begin(), other.values_.end());
}

double Summary::value(const Aggregate& aggregate) const {
  if (aggregate.kind == Kind::kCount) return static_cast<double>(count_);
  if (count_ == 0) return std::numeric_limits<double>::quiet_NaN();
  switch (aggregate.kind) {
    case Kind::kCount: break;
    case Kind::kSum: return sum_ + lost_;
    case Kind::kMean: return (sum_ + lost_) / static_cast<double>(count_);
    case Kind::kMin: return min_;
    case Kind::kMax: return max_;
    case Kind::kStd: return count_ < 2 ? 0.0 : std::sqrt(std::max(0.0, squares_) / static_cast<double>(count_ - 1));
    case Kind::kFirst: return first_;
    case Kind::kLast: return last_;
    case Kind::kQuantile: return quantile(aggregate.q);
  }
  return 0.0;
}

double Summary::quantile(double q) const {
  std::ranges::sort(values_);
  const double at = q * static_cast<double>(values_.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const auto above = std::min(below + 1, values_.size() - 1);
  return values_[below] + (at - static_cast<double>(below)) * (values_[above] - values_[below]);
}

}  // namespace moru::edge
