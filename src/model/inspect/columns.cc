// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/columns.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

namespace moru::model::layout {
namespace {

constexpr double kBoxGap = 26;
constexpr double kBendGap = 12;
constexpr int kSweeps = 24;  // nothing moves visibly after that
constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

/// Items that stand under one another form a block, and a block has one place.
class Columns {
 public:
  explicit Columns(const Layers& layers) : layers_(layers), items_(layers.items) {}

  std::vector<double> make() {
    align();
    make_blocks();
    make_neighbours();
    place_from_the_left();
    for (int sweep = 0; sweep < kSweeps; ++sweep) move_to_neighbours(sweep % 2 == 0);
    std::vector<double> result;
    for (std::size_t i = 0; i < items_.size(); ++i) result.push_back(x_[block_[i]]);
    return result;
  }

 private:
  struct Segment {
    std::size_t rank;  ///< the smaller, the sooner it is made straight
    std::size_t upper;
    std::size_t lower;
  };

  /// Long chains of boxes first, then lines between bends, then the rest.
  std::size_t rank(std::size_t upper, std::size_t lower) const {
    constexpr std::size_t kBends = std::size_t{1} << 40U;
    if (items_[upper].bend && items_[lower].bend) return kBends;
    if (items_[upper].bend || items_[lower].bend) return kBends + 1;
    return kBends - 1 - std::min(layers_.chain[upper], layers_.chain[lower]);
  }

  /// Each item gets at most one partner above and one below, so that no two of these straight pieces cross.
  void align() {
    std::vector<Segment> segments;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      for (const std::size_t lower : items_[i].down) segments.push_back({rank(i, lower), i, lower});
    }
    std::ranges::sort(segments, {}, [](const Segment& s) { return std::tuple(s.rank, s.upper, s.lower); });
    below_.assign(items_.size(), kNone);
    above_.assign(items_.size(), kNone);
    std::vector<std::map<std::size_t, std::size_t>> taken(layers_.layers.size());  // upper place -> lower place
    for (const Segment& segment : segments) {
      if (below_[segment.upper] != kNone || above_[segment.lower] != kNone) continue;
      auto& pieces = taken[items_[segment.upper].layer];
      const std::size_t from = items_[segment.upper].place;
      const std::size_t to = items_[segment.lower].place;
      const auto right = pieces.upper_bound(from);
      if (right != pieces.end() && right->second < to) continue;
      if (right != pieces.begin() && std::prev(right)->second > to) continue;
      pieces.emplace(from, to);
      below_[segment.upper] = segment.lower;
      above_[segment.lower] = segment.upper;
    }
  }

  void make_blocks() {
    block_.assign(items_.size(), kNone);
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (above_[i] != kNone) continue;
      const std::size_t block = members_.size();
      members_.emplace_back();
      for (std::size_t at = i; at != kNone; at = below_[at]) {
        block_[at] = block;
        members_.back().push_back(at);
      }
    }
  }

  struct Beside {
    std::size_t block;
    double distance;  ///< between the middles, at least
  };

  void make_neighbours() {
    left_.resize(members_.size());
    right_.resize(members_.size());
    for (const auto& layer : layers_.layers) {
      for (std::size_t i = 1; i < layer.size(); ++i) {
        const Item& a = items_[layer[i - 1]];
        const Item& b = items_[layer[i]];
        const double distance = (a.width + b.width) / 2 + (a.bend || b.bend ? kBendGap : kBoxGap);
        right_[block_[layer[i - 1]]].push_back({block_[layer[i]], distance});
        left_[block_[layer[i]]].push_back({block_[layer[i - 1]], distance});
      }
    }
  }

  /// As far to the left as the order allows. Straight pieces do not cross, so "left of" has no cycle among blocks.
  void place_from_the_left() {
    x_.assign(members_.size(), 0.0);
    std::vector<std::size_t> waiting(members_.size());
    for (std::size_t b = 0; b < members_.size(); ++b) {
      waiting[b] = left_[b].size();
      if (waiting[b] == 0) order_.push_back(b);
    }
    for (std::size_t i = 0; i < order_.size(); ++i) {
      for (const Beside& right : right_[order_[i]]) {
        x_[right.block] = std::max(x_[right.block], x_[order_[i]] + right.distance);
        if (--waiting[right.block] == 0) order_.push_back(right.block);
      }
    }
  }

  /// Each block goes to the median of what it is joined to, as far as its neighbours leave room.
  void move_to_neighbours(bool from_right) {
    for (std::size_t i = 0; i < order_.size(); ++i) {
      const std::size_t block = order_[from_right ? order_.size() - 1 - i : i];
      std::vector<double> wanted;
      for (const std::size_t item : members_[block]) {
        for (const auto* others : {&items_[item].up, &items_[item].down}) {
          for (const std::size_t other : *others) {
            if (block_[other] != block) wanted.push_back(x_[block_[other]]);
          }
        }
      }
      if (wanted.empty()) continue;
      std::ranges::sort(wanted);
      double to = (wanted[(wanted.size() - 1) / 2] + wanted[wanted.size() / 2]) / 2;
      for (const Beside& right : right_[block]) to = std::min(to, x_[right.block] - right.distance);
      for (const Beside& left : left_[block]) to = std::max(to, x_[left.block] + left.distance);
      x_[block] = to;
    }
  }

  const Layers& layers_;
  const std::vector<Item>& items_;
  std::vector<std::size_t> above_;
  std::vector<std::size_t> below_;
  std::vector<std::size_t> block_;                 ///< of each item
  std::vector<std::vector<std::size_t>> members_;  ///< of each block
  std::vector<std::vector<Beside>> left_;
  std::vector<std::vector<Beside>> right_;
  std::vector<std::size_t> order_;  ///< blocks, each after those to its left
  std::vector<double> x_;
};

}  // namespace

std::vector<double> make_columns(const Layers& layers) { return Columns(layers).make(); }

}  // namespace moru::model::layout
