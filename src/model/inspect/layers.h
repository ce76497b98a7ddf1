// SPDX-License-Identifier: Apache-2.0
// The first half of a layered drawing: rows, bends, and the order within each row.
#pragma once

#include <cstddef>
#include <vector>

#include "model/inspect/layout.h"

namespace moru::model::layout {

/// A box or a bend (where a line passes a row).
struct Item {
  std::size_t layer = 0;
  std::size_t place = 0;  ///< within its layer, from the left
  double width = 0;
  bool bend = false;
  std::vector<std::size_t> up;  ///< items of the layer above that it is joined to
  std::vector<std::size_t> down;
};

struct Layers {
  std::vector<Item> items;                       ///< the boxes first, in their order, then the bends
  std::vector<std::vector<std::size_t>> layers;  ///< items from left to right
  /// paths[i][j]: the items of net i's line to its j-th box, both ends among them. Empty: too long to draw.
  std::vector<std::vector<std::vector<std::size_t>>> paths;
  /// Of each box: boxes on the longest chain that it lies on, counting without bends.
  std::vector<std::size_t> chain;
};

Layers make_layers(const std::vector<Box>& boxes, const std::vector<Net>& nets);

}  // namespace moru::model::layout
