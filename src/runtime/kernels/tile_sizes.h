// SPDX-License-Identifier: Apache-2.0
// How products of levels are put into tiles: what each tile is for, and how large.
#pragma once

#include <cstdint>

namespace moru::kernels {
namespace {

constexpr int kTileRows = 16;
constexpr int kTileBytes = 64;  ///< of a row
constexpr int kOutputs = 16;    ///< of a tile of weights or sums

/// What a processor reads its tiles' sizes from.
struct TileSizes {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};  ///< of tiles 0 to 7; the others must be zero
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileSizes) == 64);

// The tiles. Sums of the row tile i and the block j are 2 * i + j.
constexpr int kLevelTile = 4;
constexpr int kWeightTile = 6;
constexpr int kTiles = 8;

constexpr TileSizes sizes_for(int rows, int depth) {
  TileSizes sizes;
  for (int tile = 0; tile < kTiles; ++tile) {
    const bool weights = tile >= kWeightTile;
    sizes.rows[tile] = static_cast<std::uint8_t>(weights ? depth / 4 : rows);
    sizes.row_bytes[tile] = static_cast<std::uint16_t>(weights || tile < kLevelTile ? kTileBytes : depth);
  }
  return sizes;
}

}  // namespace
}  // namespace moru::kernels
