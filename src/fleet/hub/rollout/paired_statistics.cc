// SPDX-License-Identifier: Apache-2.0
// The statistics behind the gate; gate.h says what they mean.
#include <math.h>

#include <algorithm>
#include <cmath>

#include "fleet/hub/rollout/gate.h"

namespace moru::fleet {
namespace {

constexpr double kNegligible = 1e-15;

/// std::lgamma writes a global; this one may run on several threads.
double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

double log_choose(double n, double k) { return log_gamma(n + 1) - log_gamma(k + 1) - log_gamma(n - k + 1); }

/// P(Bin(n, p) = k); safe at p = 0 and p = 1.
double binomial_pmf(std::int64_t n, std::int64_t k, double p) {
  if (k < 0 || k > n) return 0;
  if (p <= 0) return k == 0 ? 1 : 0;
  if (p >= 1) return k == n ? 1 : 0;
  const auto real_n = static_cast<double>(n);
  const auto real_k = static_cast<double>(k);
  return std::exp(log_choose(real_n, real_k) + real_k * std::log(p) + (real_n - real_k) * std::log1p(-p));
}

/// P(Bin(n, p) >= k): sums outward from k, on the side of k away from the mean, where terms only shrink.
double binomial_tail(std::int64_t n, std::int64_t k, double p) {
  if (k <= 0) return 1;
  if (k > n) return 0;
  if (p <= 0) return 0;
  if (p >= 1) return 1;
  const double odds = p / (1 - p);
  const bool upper = static_cast<double>(k) > static_cast<double>(n) * p;
  double sum = 0;
  if (upper) {
    double term = binomial_pmf(n, k, p);
    for (std::int64_t i = k; i <= n && term > kNegligible * (sum + 1e-300); ++i) {
      sum += term;
      term *= static_cast<double>(n - i) / static_cast<double>(i + 1) * odds;
    }
    return std::min(sum, 1.0);
  }
  double term = binomial_pmf(n, k - 1, p);
  for (std::int64_t i = k - 1; i >= 0 && term > kNegligible * (sum + 1e-300); --i) {
    sum += term;
    term *= static_cast<double>(i) / (static_cast<double>(n - i + 1) * odds);
  }
  return std::max(0.0, 1.0 - sum);
}

/// Maximum-likelihood estimate of P(only candidate right) when the drop is given (Tango 1998, equation 9).
double constrained_estimate(double n, double b, double c, double drop) {
  const double a2 = 2 * n;
  const double a1 = -b - c + (2 * n - b + c) * drop;
  const double a0 = -c * drop * (1 - drop);
  const double root = std::sqrt(std::max(0.0, a1 * a1 - 4 * a2 * a0));
  // Cell probabilities c: q, b: q + drop, rest: 1 - 2q - drop must all lie in [0, 1].
  return std::clamp((root - a1) / (2 * a2), std::max(0.0, -drop), (1 - drop) / 2);
}

/// The normal quantile z with P(Z > z) = level, by bisection.
double normal_quantile(double level) {
  double low = 0;
  double high = 40;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(middle / std::sqrt(2.0)) / 2 > level ? low : high) = middle;
  }
  return low;
}

}  // namespace

double paired_p_value_at_least(std::uint64_t items, std::uint64_t only_current, std::uint64_t only_candidate, double drop) {
  const auto n = static_cast<std::int64_t>(items);
  const std::int64_t difference = static_cast<std::int64_t>(only_current) - static_cast<std::int64_t>(only_candidate);
  const double q =
      constrained_estimate(static_cast<double>(n), static_cast<double>(only_current), static_cast<double>(only_candidate), drop);
  const double p = std::clamp(q + drop, 0.0, 1.0);
  // Sum over y = only candidate right, about its mean, of P(Y = y) * P(X >= y + difference | y).
  const double given = q < 1 ? std::clamp(p / (1 - q), 0.0, 1.0) : 0.0;
  const double mean = static_cast<double>(n) * q;
  const double spread = 10 * std::sqrt(mean * (1 - q)) + 30;
  const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(mean - spread)));
  const auto last = std::min(n, static_cast<std::int64_t>(std::ceil(mean + spread)));
  double sum = 0;
  for (std::int64_t y = first; y <= last; ++y) {
    const double weight = binomial_pmf(n, y, q);
    if (weight > kNegligible) sum += weight * binomial_tail(n - y, y + difference, given);
  }
  return std::min(sum, 1.0);
}

Interval paired_interval(std::uint64_t items, std::uint64_t only_current, std::uint64_t only_candidate, double level) {
  if (items == 0) return {-1, 1};
  const double estimate = (static_cast<double>(only_current) - static_cast<double>(only_candidate)) / static_cast<double>(items);
  const auto edge = [&](double inside, double outside, auto&& rejected) {
    for (int i = 0; i < 30; ++i) {
      const double middle = (inside + outside) / 2;
      (rejected(middle) ? outside : inside) = middle;
    }
    return outside;
  };
  // The upper bound is the lower bound of the same pairs with the models exchanged.
  const double low =
      edge(estimate, -1.0, [&](double drop) { return paired_p_value_at_least(items, only_current, only_candidate, drop) <= level; });
  const double high =
      edge(estimate, 1.0, [&](double drop) { return paired_p_value_at_least(items, only_candidate, only_current, -drop) <= level; });
  return {low, high};
}

Interval wilson_interval(std::uint64_t items, std::uint64_t hits, double level) {
  if (items == 0) return {0, 1};
  const auto n = static_cast<double>(items);
  const double share = static_cast<double>(hits) / n;
  const double z = normal_quantile(level);
  const double centre = (share + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

}  // namespace moru::fleet
