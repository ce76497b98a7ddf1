// SPDX-License-Identifier: Apache-2.0
#include "model/targets/closure.h"

#include <algorithm>
#include <limits>

namespace moru::model::targets {
namespace {

/// Maximum flow: shortest paths in layers, and all of one length at once.
class Flow {
 public:
  Flow(std::size_t points, std::size_t arcs) : first_(points, kNone), level_(points), open_(points) { arcs_.reserve(2 * arcs); }

  void add(std::int32_t from, std::int32_t to, std::int64_t capacity) {
    arcs_.push_back({to, first(from), capacity});
    first(from) = static_cast<std::int32_t>(arcs_.size()) - 1;
    arcs_.push_back({from, first(to), 0});
    first(to) = static_cast<std::int32_t>(arcs_.size()) - 1;
  }

  void run(std::int32_t source, std::int32_t sink) {
    while (find_levels(source, sink)) {
      open_ = first_;
      while (push_one(source, sink)) {
      }
    }
  }

  /// After run(): whether the source's side of the smallest cut has it.
  bool reached(std::int32_t point) const { return level_[static_cast<std::size_t>(point)] >= 0; }

 private:
  static constexpr std::int32_t kNone = -1;
  struct Arc {
    std::int32_t to;
    std::int32_t next;  ///< of those that leave the same point
    std::int64_t left;
  };
  std::int32_t& first(std::int32_t point) { return first_[static_cast<std::size_t>(point)]; }
  std::int32_t& level(std::int32_t point) { return level_[static_cast<std::size_t>(point)]; }
  Arc& arc(std::int32_t index) { return arcs_[static_cast<std::size_t>(index)]; }

  bool find_levels(std::int32_t source, std::int32_t sink) {
    std::ranges::fill(level_, -1);
    level(source) = 0;
    std::vector<std::int32_t> queue{source};
    for (std::size_t i = 0; i < queue.size(); ++i) {
      for (std::int32_t at = first(queue[i]); at != kNone; at = arc(at).next) {
        if (arc(at).left == 0 || level(arc(at).to) >= 0) continue;
        level(arc(at).to) = level(queue[i]) + 1;
        queue.push_back(arc(at).to);
      }
    }
    return level(sink) >= 0;
  }

  /// One path down the levels; arcs that lead nowhere are passed over for good. A loop: paths may be as long as the graph.
  bool push_one(std::int32_t source, std::int32_t sink) {
    std::vector<std::int32_t> path;
    std::int32_t at = source;
    while (at != sink) {
      std::int32_t& next = open_[static_cast<std::size_t>(at)];
      while (next != kNone && (arc(next).left == 0 || level(arc(next).to) != level(at) + 1)) next = arc(next).next;
      if (next != kNone) {
        path.push_back(next);
        at = arc(next).to;
        continue;
      }
      if (path.empty()) return false;
      const std::int32_t back = path.back();
      path.pop_back();
      at = arc(back ^ 1).to;
      open_[static_cast<std::size_t>(at)] = arc(back).next;
    }
    std::int64_t amount = std::numeric_limits<std::int64_t>::max();
    for (const std::int32_t index : path) amount = std::min(amount, arc(index).left);
    for (const std::int32_t index : path) {
      arc(index).left -= amount;
      arc(index ^ 1).left += amount;
    }
    return true;
  }

  std::vector<Arc> arcs_;
  std::vector<std::int32_t> first_;
  std::vector<std::int32_t> level_;
  std::vector<std::int32_t> open_;  ///< the next arc of each point to try
};

}  // namespace

std::vector<bool> heaviest_closure(std::span<const std::int64_t> weights, std::span<const Implication> implications) {
  constexpr std::int64_t kAny = std::int64_t{1} << 62U;
  const auto count = static_cast<std::int32_t>(weights.size());
  const std::int32_t source = count;
  const std::int32_t sink = count + 1;
  Flow flow(weights.size() + 2, weights.size() + implications.size());
  for (std::int32_t i = 0; i < count; ++i) {
    const std::int64_t weight = weights[static_cast<std::size_t>(i)];
    if (weight > 0) flow.add(source, i, weight);
    if (weight < 0) flow.add(i, sink, -weight);
  }
  for (const auto& [from, to] : implications) flow.add(from, to, kAny);
  flow.run(source, sink);
  std::vector<bool> chosen(weights.size());
  for (std::int32_t i = 0; i < count; ++i) chosen[static_cast<std::size_t>(i)] = flow.reached(i);
  return chosen;
}

}  // namespace moru::model::targets
