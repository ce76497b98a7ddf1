// SPDX-License-Identifier: Apache-2.0
// How matrix products are cut: outputs stand in the lanes of a register; a block is one register of them, a panel a few blocks, and a tile
// some rows by one panel. Weights are packed panel by panel.
#pragma once

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
  int first_block(int panel) const { return panel * least() + (panel < larger() ? panel : larger()); }
  int blocks_of(int panel) const { return least() + (panel < larger() ? 1 : 0); }

 private:
  // Of numbers that stay the same while panels are walked: the compiler divides once.
  int least() const { return blocks() / count(); }
  int larger() const { return blocks() % count(); }  ///< so many panels have a block more
};

/// `tiles` tiles, all of the same number of rows, of one panel.
template <class Panel>
using RunTiles = void (*)(const Panel& panel, int row, int tiles);

template <class Panel>
struct TileOf {
  int rows;
  RunTiles<Panel> run;
};

/// The rows [row, end) as tiles, as many of the first as there are, then of the next; the last is of one row.
template <class Panel, int kCount>
void split_rows(const Panel& panel, int end, const TileOf<Panel> (&tiles)[kCount], int row = 0) {
  for (const TileOf<Panel>& tile : tiles) {
    if (end - row < tile.rows) continue;  // a division would take longer than a small tile
    const int count = (end - row) / tile.rows;
    tile.run(panel, row, count);
    row += count * tile.rows;
  }
}

}  // namespace
}  // namespace moru::kernels
