// SPDX-License-Identifier: Apache-2.0
#include "model/targets/partition.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include "model/targets/closure.h"

namespace moru::model::targets {
namespace {

using Nodes = std::vector<std::size_t>;

/// Minimum cuts in one partition. A graph that needs more is in crumbs, and what is left of it goes in phases.
constexpr int kMostCuts = 64;

class Partitioner {
 public:
  Partitioner(const Successors& successors, const std::vector<bool>& eligible, std::span<const std::int64_t> macs)
      : successors_(successors), eligible_(eligible), macs_(macs), place_(successors.size(), kOutside) {
    // A node without MACs counts, too, but all of them together less than one MAC; the sum of all weights stays below 2^61.
    const auto count = static_cast<std::int64_t>(successors.size()) + 1;
    const std::int64_t most = (std::int64_t{1} << 60U) / count / count;
    for (const std::int64_t one : macs) weights_.push_back(std::min(one, most) * count + 1);
  }

  std::vector<Piece> heaviest_only() {
    std::vector<Piece> pieces;
    const Cut cut = heaviest(all());
    add(cut.before, false, &pieces);
    add(cut.piece, true, &pieces);
    add(cut.behind, false, &pieces);
    return pieces;
  }

  std::vector<Piece> heaviest_first() {
    std::vector<Piece> pieces;
    cuts_left_ = kMostCuts;
    split(all(), &pieces);
    return pieces;
  }

  /// Each node runs as soon as the nodes before it have, and its kind's turn has come. The turns are as few as can be for the kind
  /// that begins. `backwards`: as late as it can, seen from the end.
  std::vector<Piece> phases(const Nodes& nodes, bool accelerator_first, bool backwards) {
    std::vector<std::size_t> phase(successors_.size(), 0);
    for (const std::size_t node : nodes) place_[node] = kInside;
    const auto advance = [&](std::size_t node, std::size_t reached) {
      const bool accelerators_turn = (reached % 2 == 0) == accelerator_first;
      phase[node] = std::max(phase[node], accelerators_turn == eligible_[node] ? reached : reached + 1);
    };
    const auto visit = [&](std::size_t node) {
      if (!backwards) advance(node, phase[node]);
      for (const std::int32_t next : successors_[node]) {
        const auto other = static_cast<std::size_t>(next);
        if (place_[other] != kInside) continue;
        if (backwards) advance(node, phase[other]);
        if (!backwards) phase[other] = std::max(phase[other], phase[node]);
      }
      if (backwards) advance(node, phase[node]);
    };
    if (backwards) std::ranges::for_each(nodes.rbegin(), nodes.rend(), visit);
    if (!backwards) std::ranges::for_each(nodes, visit);
    for (const std::size_t node : nodes) place_[node] = kOutside;
    return pieces_of(nodes, phase, accelerator_first, backwards);
  }

  Nodes all() const {
    Nodes nodes(successors_.size());
    std::iota(nodes.begin(), nodes.end(), std::size_t{0});
    return nodes;
  }

 private:
  static constexpr std::int32_t kOutside = -1;
  static constexpr std::int32_t kInside = 0;
  struct Cut {
    Nodes before;
    Nodes piece;
    Nodes behind;
  };

  std::vector<Piece> pieces_of(const Nodes& nodes, const std::vector<std::size_t>& phase, bool accelerator_first, bool backwards) const {
    std::size_t last = 0;
    for (const std::size_t node : nodes) last = std::max(last, phase[node]);
    std::vector<Nodes> turns(last + 1);
    for (const std::size_t node : nodes) turns[backwards ? last - phase[node] : phase[node]].push_back(node);
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < turns.size(); ++i) add(turns[i], ((backwards ? last - i : i) % 2 == 0) == accelerator_first, &pieces);
    return pieces;
  }

  /// Variables x (node is in the piece or behind it) and y (node is behind it): the piece is x without y.
  Cut heaviest(const Nodes& nodes) {
    std::vector<std::int64_t> weights;
    std::vector<Implication> implications;
    for (std::size_t i = 0; i < nodes.size(); ++i) place_[nodes[i]] = static_cast<std::int32_t>(i);
    const auto x = [&](std::size_t i) { return static_cast<std::int32_t>(2 * i); };
    const auto y = [&](std::size_t i) { return static_cast<std::int32_t>(2 * i + 1); };
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const std::int64_t weight = eligible_[nodes[i]] ? weights_[nodes[i]] : 0;
      weights.push_back(weight);
      weights.push_back(-weight);
      implications.emplace_back(y(i), x(i));
      if (!eligible_[nodes[i]]) implications.emplace_back(x(i), y(i));
      for (const std::int32_t next : successors_[nodes[i]]) {
        const std::int32_t other = place_[static_cast<std::size_t>(next)];
        if (other == kOutside) continue;
        implications.emplace_back(x(i), x(static_cast<std::size_t>(other)));
        implications.emplace_back(y(i), y(static_cast<std::size_t>(other)));
      }
    }
    const std::vector<bool> chosen = heaviest_closure(weights, implications);
    Cut cut;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      place_[nodes[i]] = kOutside;
      (chosen[2 * i + 1] ? cut.behind : chosen[2 * i] ? cut.piece : cut.before).push_back(nodes[i]);
    }
    return cut;
  }

  void split(const Nodes& nodes, std::vector<Piece>* pieces) {
    if (std::ranges::none_of(nodes, [&](std::size_t node) { return eligible_[node]; })) return add(nodes, false, pieces);
    if (cuts_left_-- <= 0) {
      for (const Piece& piece : phases(nodes, false, false)) add(piece.nodes, piece.accelerator, pieces);
      return;
    }
    const Cut cut = heaviest(nodes);
    split(cut.before, pieces);
    add(cut.piece, true, pieces);
    split(cut.behind, pieces);
  }

  /// Neighbours of one kind are one piece: nothing can lie between them.
  void add(const Nodes& nodes, bool accelerator, std::vector<Piece>* pieces) const {
    if (nodes.empty()) return;
    if (pieces->empty() || pieces->back().accelerator != accelerator) pieces->push_back({.accelerator = accelerator, .nodes = {}});
    Piece& piece = pieces->back();
    piece.nodes.insert(piece.nodes.end(), nodes.begin(), nodes.end());
    std::ranges::sort(piece.nodes);
    for (const std::size_t node : nodes) {
      if (__builtin_add_overflow(piece.macs, macs_[node], &piece.macs)) piece.macs = std::numeric_limits<std::int64_t>::max();
    }
  }

  const Successors& successors_;
  const std::vector<bool>& eligible_;
  std::span<const std::int64_t> macs_;
  std::vector<std::int64_t> weights_;
  std::vector<std::int32_t> place_;  ///< of a node among those that are looked at
  int cuts_left_ = 0;
};

/// What is better comes first: fewer pieces of the accelerator, more in the largest, fewer pieces.
auto rank_of(const std::vector<Piece>& pieces) {
  std::size_t accelerators = 0;
  std::int64_t macs = 0;
  std::size_t nodes = 0;
  for (const Piece& piece : pieces) {
    if (!piece.accelerator) continue;
    ++accelerators;
    std::tie(macs, nodes) = std::max(std::pair(macs, nodes), std::pair(piece.macs, piece.nodes.size()));
  }
  return std::tuple(accelerators, -macs, -static_cast<std::int64_t>(nodes), pieces.size());
}

}  // namespace

Successors successors_of(const Graph& graph) {
  Successors successors(graph.nodes().size());
  const std::vector<std::int32_t> producers = graph.producers();
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    for_each_use(graph.nodes()[i], [&](ValueId id) {
      const std::int32_t from = producers[static_cast<std::size_t>(id)];
      if (from >= 0) successors[static_cast<std::size_t>(from)].push_back(static_cast<std::int32_t>(i));
    });
  }
  for (auto& one : successors) {
    std::ranges::sort(one);
    one.erase(std::ranges::unique(one).begin(), one.end());
  }
  return successors;
}

std::vector<Piece> partition(const Successors& successors, const std::vector<bool>& eligible, std::span<const std::int64_t> macs,
                             bool one_piece) {
  Partitioner partitioner(successors, eligible, macs);
  if (one_piece) return partitioner.heaviest_only();
  std::vector<Piece> best = partitioner.heaviest_first();
  for (const bool accelerator_first : {false, true}) {
    for (const bool backwards : {false, true}) {
      std::vector<Piece> other = partitioner.phases(partitioner.all(), accelerator_first, backwards);
      if (rank_of(other) < rank_of(best)) best = std::move(other);
    }
  }
  return best;
}

}  // namespace moru::model::targets
