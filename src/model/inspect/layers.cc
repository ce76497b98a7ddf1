// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/layers.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <ranges>
#include <tuple>
#include <utility>

namespace moru::model::layout {
namespace {

constexpr double kBendWidth = 14;
constexpr std::size_t kMaxBends = 100'000;  // of all lines together; a network of 1,000 nodes has some hundred
constexpr int kSweeps = 12;                 // few crossings go after that

/// Row of each box: one below the lowest that it uses. What uses nothing (an input) moves down to where it is used first.
std::vector<std::size_t> rows_of(std::size_t count, const std::vector<Net>& nets) {
  std::vector<std::size_t> rows(count, 0);
  std::vector<bool> source(count, true);
  for (const Net& net : nets) {
    for (const std::size_t to : net.to) {
      rows[to] = std::max(rows[to], rows[net.from] + 1);
      source[to] = false;
    }
  }
  std::vector<std::size_t> first(count, std::numeric_limits<std::size_t>::max());
  for (const Net& net : nets) {
    for (const std::size_t to : net.to) first[net.from] = std::min(first[net.from], rows[to]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (source[i] && first[i] != std::numeric_limits<std::size_t>::max()) rows[i] = first[i] - 1;
  }
  return rows;
}

/// How many boxes the longest chain through each box has.
std::vector<std::size_t> chains_of(std::size_t count, const std::vector<Net>& nets) {
  std::vector<std::size_t> above(count, 0);
  std::vector<std::size_t> below(count, 0);
  for (const Net& net : nets) {
    for (const std::size_t to : net.to) above[to] = std::max(above[to], above[net.from] + 1);
  }
  for (const Net& net : nets | std::views::reverse) {
    for (const std::size_t to : net.to) below[net.from] = std::max(below[net.from], below[to] + 1);
  }
  for (std::size_t i = 0; i < count; ++i) above[i] += below[i] + 1;
  return above;
}

class Maker {
 public:
  Maker(const std::vector<Box>& boxes, const std::vector<Net>& nets) : nets_(nets) {
    const auto rows = rows_of(boxes.size(), nets);
    result_.chain = chains_of(boxes.size(), nets);
    for (std::size_t i = 0; i < boxes.size(); ++i)
      result_.items.push_back({.layer = rows[i], .place = 0, .width = boxes[i].width, .bend = false, .up = {}, .down = {}});
    result_.layers.resize(boxes.empty() ? 0 : *std::ranges::max_element(rows) + 1);
  }

  Layers make() {
    for (const Net& net : nets_) add_lines(net);
    first_order();
    improve_order();
    return std::move(result_);
  }

 private:
  void join(std::size_t upper, std::size_t lower) {
    result_.items[upper].down.push_back(lower);
    result_.items[lower].up.push_back(upper);
  }

  /// A net's lines share their bends, one a row, until each leaves for its box.
  void add_lines(const Net& net) {
    auto& paths = result_.paths.emplace_back();
    std::vector<std::size_t> trunk = {net.from};
    const std::size_t top = result_.items[net.from].layer;
    for (const std::size_t to : net.to) {
      auto& path = paths.emplace_back();
      const std::size_t length = result_.items[to].layer - top;
      const std::size_t more = length > trunk.size() ? length - trunk.size() : 0;
      if (bends_ + more > kMaxBends) continue;
      bends_ += more;
      while (trunk.size() < length) {
        result_.items.push_back({.layer = top + trunk.size(), .place = 0, .width = kBendWidth, .bend = true, .up = {}, .down = {}});
        join(trunk.back(), result_.items.size() - 1);
        trunk.push_back(result_.items.size() - 1);
      }
      path.assign(trunk.begin(), trunk.begin() + static_cast<std::ptrdiff_t>(length));
      join(path.back(), to);
      path.push_back(to);
    }
  }

  /// Depth first from the top, the longest chain first: neighbours come to stand near each other. With a stack of its own, since
  /// a chain may be longer than the program's.
  void first_order() {
    std::vector<bool> seen(result_.items.size(), false);
    std::vector<std::size_t> starts(result_.items.size());
    std::iota(starts.begin(), starts.end(), std::size_t{0});
    std::ranges::sort(starts, {}, [&](std::size_t i) { return std::pair(result_.items[i].layer, i); });
    std::vector<std::size_t> stack;
    for (const std::size_t start : starts) {
      stack.push_back(start);
      while (!stack.empty()) {
        const std::size_t at = stack.back();
        stack.pop_back();
        if (seen[at]) continue;
        seen[at] = true;
        result_.layers[result_.items[at].layer].push_back(at);
        auto next = result_.items[at].down;
        std::ranges::sort(next, {}, [&](std::size_t i) { return std::pair(i < result_.chain.size() ? result_.chain[i] : 0, ~i); });
        stack.insert(stack.end(), next.begin(), next.end());
      }
    }
    number_places();
  }

  void number_places() {
    for (const auto& layer : result_.layers) {
      for (std::size_t i = 0; i < layer.size(); ++i) result_.items[layer[i]].place = i;
    }
  }

  /// Sorts a layer by the mean place of its neighbours in the layer above or below; who has none stays where it is.
  void sort_layer(std::vector<std::size_t>& layer, bool by_upper) {
    std::vector<std::tuple<double, std::size_t, std::size_t>> keyed;  // mean, place so far, item
    for (const std::size_t item : layer) {
      const auto& neighbours = by_upper ? result_.items[item].up : result_.items[item].down;
      double sum = 0;
      for (const std::size_t other : neighbours) sum += relative_place(other);
      keyed.emplace_back(neighbours.empty() ? relative_place(item) : sum / static_cast<double>(neighbours.size()),
                         result_.items[item].place, item);
    }
    std::ranges::sort(keyed);
    for (std::size_t i = 0; i < layer.size(); ++i) {
      layer[i] = std::get<2>(keyed[i]);
      result_.items[layer[i]].place = i;
    }
  }

  /// Layers have different sizes; the middle of each is 0.
  double relative_place(std::size_t item) const {
    const Item& it = result_.items[item];
    return static_cast<double>(it.place) - static_cast<double>(result_.layers[it.layer].size() - 1) / 2;
  }

  void improve_order() {
    auto best = result_.layers;
    std::size_t fewest = crossings();
    for (int sweep = 0; sweep < kSweeps && fewest > 0; ++sweep) {
      if (sweep % 2 == 0) {
        for (std::size_t i = 1; i < result_.layers.size(); ++i) sort_layer(result_.layers[i], true);
      } else {
        for (std::size_t i = result_.layers.size() - 1; i-- > 0;) sort_layer(result_.layers[i], false);
      }
      const std::size_t now = crossings();
      if (now < fewest) {
        fewest = now;
        best = result_.layers;
      }
    }
    result_.layers = std::move(best);
    number_places();
  }

  /// Pairs of lines between neighbouring layers that cross, counted by sums over places (Barth, Jünger, Mutzel 2002).
  std::size_t crossings() const {
    std::size_t total = 0;
    for (std::size_t i = 0; i + 1 < result_.layers.size(); ++i) {
      std::vector<std::size_t> tree(result_.layers[i + 1].size() + 1, 0);
      std::size_t drawn = 0;
      for (const std::size_t item : result_.layers[i]) {
        std::vector<std::size_t> ends;
        for (const std::size_t other : result_.items[item].down) ends.push_back(result_.items[other].place);
        std::ranges::sort(ends);
        for (const std::size_t end : ends) {
          std::size_t not_right = 0;
          for (std::size_t at = end + 1; at > 0; at &= at - 1) not_right += tree[at];
          total += drawn - not_right;
        }
        for (const std::size_t end : ends) {
          for (std::size_t at = end + 1; at < tree.size(); at += at & (~at + 1)) ++tree[at];
          ++drawn;
        }
      }
    }
    return total;
  }

  const std::vector<Net>& nets_;
  Layers result_;
  std::size_t bends_ = 0;
};

}  // namespace

Layers make_layers(const std::vector<Box>& boxes, const std::vector<Net>& nets) { return Maker(boxes, nets).make(); }

}  // namespace moru::model::layout
