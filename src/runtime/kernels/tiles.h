// SPDX-License-Identifier: Apache-2.0
// How matrix products are cut: outputs stand in the lanes of a register; a block is one register of them, a panel a few blocks, and a tile
// some rows by one panel. Weights are packed panel by panel.
#pragma once

#include <utility>

#include "runtime/kernels/common.h"

namespace moru::kernels {
namespace {

/// n outputs as panels of at most `most` blocks: as few as can be, of one size or one block less.
struct Panels {
  int n;
  int lanes;
  int most;

  int blocks() const { return (n + lanes - 1) / lanes; }
  int count() const { return (blocks() + most - 1) / most; }
  int first_block(int panel) const { return panel * blocks() / count(); }
  int blocks_of(int panel) const { return first_block(panel + 1) - first_block(panel); }
};

/// `tiles` tiles, all of the same number of rows, of one panel.
template <class Panel>
using RunTiles = void (*)(const Panel& panel, int row, int tiles);

/// of[r - 1] is for tiles of r rows.
template <class Panel>
struct TilesByRows {
  RunTiles<Panel> of[16];
};

/// m rows as tiles of at most `most` rows: as few as can be, of one size or one row less.
template <class Panel>
void split_rows(const Panel& panel, int m, int most, const TilesByRows<Panel>& run) {
  const int tiles = (m + most - 1) / most;
  if (tiles == 0) return;
  const int larger = m % tiles;
  const int rows = m / tiles;
  if (larger > 0) run.of[rows](panel, 0, larger);
  run.of[rows - 1](panel, larger * (rows + 1), tiles - larger);
}

}  // namespace
}  // namespace moru::kernels
