// SPDX-License-Identifier: Apache-2.0
// Which nodes run together on the accelerator, and in which order the pieces run.
//
// A piece is convex: no path leaves it and comes back, so that it can run in one go. The largest convex set of nodes that the
// accelerator takes is found exactly: each node is before it, in it or behind it, which never decreases along an edge, and that is
// a closure problem (closure.h). What is left on both sides is split in the same way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/graph/graph.h"

namespace moru::model::targets {

struct Piece {
  bool accelerator = false;
  std::vector<std::size_t> nodes;  ///< indices, in the graph's order
  std::int64_t macs = 0;
};

/// Edges between nodes, each from a lower to a higher index: successors[i] of node i.
using Successors = std::vector<std::vector<std::int32_t>>;
Successors successors_of(const Graph& graph);

/// Every node is in one piece, and pieces depend on earlier ones only. Nodes that are not `eligible` are in pieces that are not the
/// accelerator's. Among the ways tried, the one with the fewest pieces of the accelerator, then with the most MACs in the largest of
/// them. `one_piece`: the accelerator gets the heaviest piece only.
std::vector<Piece> partition(const Successors& successors, const std::vector<bool>& eligible, std::span<const std::int64_t> macs,
                             bool one_piece);

}  // namespace moru::model::targets
