// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/arena.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <tuple>

namespace moru::runtime::engine {
namespace {

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

bool overlap(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

using Order = std::vector<std::size_t>;

/// Each into the lowest gap that is free while it lives, one after the other.
ArenaPlan place_in(std::span<const Lifetime> lifetimes, const Order& order) {
  ArenaPlan plan{std::vector<std::size_t>(lifetimes.size(), 0), 0};
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t i : order) {
    std::size_t offset = 0;
    for (const std::size_t other : placed) {
      if (!overlap(lifetimes[i], lifetimes[other])) continue;
      if (offset + aligned(lifetimes[i].bytes) <= plan.offsets[other]) break;
      offset = std::max(offset, plan.offsets[other] + aligned(lifetimes[other].bytes));
    }
    plan.offsets[i] = offset;
    plan.bytes = std::max(plan.bytes, offset + aligned(lifetimes[i].bytes));
    placed.insert(std::ranges::upper_bound(placed, offset, {}, [&](std::size_t other) { return plan.offsets[other]; }), i);
  }
  return plan;
}

/// The largest `key` first; of equals the larger buffer.
template <class Key>
Order by(std::span<const Lifetime> lifetimes, Key key) {
  Order order(lifetimes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, std::greater<>(), [&](std::size_t i) { return std::tuple(key(i), lifetimes[i].bytes, lifetimes.size() - i); });
  return order;
}

/// By buffer, the most bytes that are in use at once while it lives.
std::vector<std::size_t> breadths(std::span<const Lifetime> lifetimes) {
  int steps = 0;
  for (const Lifetime& lifetime : lifetimes) steps = std::max(steps, lifetime.last + 1);
  std::vector<std::size_t> of_step(static_cast<std::size_t>(steps), 0);
  const auto steps_of = [&](const Lifetime& lifetime) {
    const auto first = static_cast<std::size_t>(std::max(lifetime.first, 0));
    return std::span(of_step).subspan(first, static_cast<std::size_t>(lifetime.last + 1) - first);
  };
  for (const Lifetime& lifetime : lifetimes) {
    if (lifetime.last < 0) continue;
    for (std::size_t& bytes : steps_of(lifetime)) bytes += aligned(lifetime.bytes);
  }
  std::vector<std::size_t> most;
  for (const Lifetime& lifetime : lifetimes) most.push_back(lifetime.last < 0 ? 0 : std::ranges::max(steps_of(lifetime)));
  return most;
}

}  // namespace

ArenaPlan plan_arena(std::span<const Lifetime> lifetimes) {
  const std::vector<std::size_t> breadth = breadths(lifetimes);
  ArenaPlan best = place_in(lifetimes, by(lifetimes, [&](std::size_t i) { return lifetimes[i].bytes; }));
  ArenaPlan other = place_in(lifetimes, by(lifetimes, [&](std::size_t i) { return breadth[i]; }));
  return other.bytes < best.bytes ? other : best;
}

}  // namespace moru::runtime::engine
