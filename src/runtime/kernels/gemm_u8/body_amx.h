// SPDX-License-Identifier: Apache-2.0
// Products in tiles, over a Machine, which is the processor or what tests have in its place:
//   configure(), release()   give all tiles their sizes, and give them back
//   zero<t>(), load<t>(), store<t>(), multiply<sums, levels, weights>()
//   finish()                 sums, which lie kStride apart, to levels of c
// A tile has 16 rows of 64 bytes at the most: of levels, 64 of each of 16 rows; of weights, those of 16 outputs by 64 along k, four behind
// each other; of sums, 16 rows by 16 outputs. Two by two tiles of sums make do with one load a multiplication.
// All tiles of a call have the same sizes, so that there is one configuration: rows are divided evenly, and the last tile does some that
// are done already; k is divided evenly, and weights behind it are zeros, whatever levels they meet.
// Weights: [panel][ceil(k / 4), and what k's division adds][blocks of the panel][16 lanes][4], which is the order of AVX-512's kernel.
// Lines are put one behind the other first: of short ones a tile would be half empty.
#pragma once

#include "runtime/kernels/gemm_u8/gemm_u8.h"
#include "runtime/kernels/tile_sizes.h"
#include "runtime/kernels/tiles.h"

namespace moru::kernels {
namespace {

constexpr int kBlockBytes = kOutputs * 4;
constexpr int kPanelBlocks = 4;
/// Sums from one row to the next, where finish() reads them: of two blocks.
constexpr int kStride = 2 * kOutputs;

constexpr Panels tile_panels(int n) { return {n, kOutputs, kPanelBlocks}; }

/// Of `count`, cut into as few pieces of at most `most` as can be: how long they are, a multiple of `unit`.
constexpr int even_piece(int count, int most, int unit) {
  const int pieces = (count + most - 1) / most;
  return ((count + pieces - 1) / pieces + unit - 1) / unit * unit;
}

/// How k is divided.
struct Depth {
  explicit constexpr Depth(int k) : piece(even_piece(k, kTileBytes, 4)), pieces((k + kTileBytes - 1) / kTileBytes) {}
  int piece;  ///< bytes
  int pieces;
  constexpr int padded() const { return piece * pieces; }
};

std::size_t tile_packed_bytes(int n, int lines, int k) {
  return static_cast<std::size_t>(tile_panels(n).blocks()) * static_cast<std::size_t>(Depth(lines * k).padded()) * kOutputs;
}

/// w [n, k].
void tile_pack(const std::int8_t* w, int n, int k, std::byte* packed) {
  const Panels panels = tile_panels(n);
  for (int panel = 0; panel < panels.count(); ++panel) {
    const int end = panels.first_block(panel + 1) * kOutputs;
    for (int at = 0; at < Depth(k).padded(); at += 4) {
      for (int o = panels.first_block(panel) * kOutputs; o < end; ++o) {
        for (int i = at; i < at + 4; ++i) *packed++ = o < n && i < k ? static_cast<std::byte>(w[std::ptrdiff_t{o} * k + i]) : std::byte{0};
      }
    }
  }
}

/// Rows of lines, one line behind the other; with room for what is written too much.
struct Joined {
  static constexpr std::ptrdiff_t kRowBytes = kMostOfLines + kTileBytes;
  alignas(kTileBytes) std::uint8_t at[2 * kTileRows][kRowBytes];
};

/// `rows` rows from `row` on, those of all products counted.
void join(const GemmU8& call, int row, int rows, std::uint8_t (*to)[Joined::kRowBytes]) {
  for (int i = row; i < row + rows; ++i, ++to) {
    const std::uint8_t* const* lines = call.lines + i / call.m * call.line_step;
    const std::ptrdiff_t at = i % call.m * call.a_stride;
    for (int line = 0; line < call.line_count; ++line) {
      std::uint8_t* start = *to + std::ptrdiff_t{line} * call.k;  // what comes too much, the next line writes over
      for (int k = 0; k < call.k; k += kTileBytes) __builtin_memcpy(start + k, lines[line] + at + k, kTileBytes);
    }
  }
}

/// Up to two tiles of rows.
struct RowTiles {
  const std::uint8_t* a[2];
  std::ptrdiff_t stride;
  int row[2];  ///< of c
  int rows;    ///< of each tile
};

/// Weights of up to two blocks.
struct Weights {
  const std::byte* at;
  std::ptrdiff_t stride;  ///< bytes from four along k to the next
  int first;              ///< output
};

/// Of kRowTiles by kBlocks tiles: all sums, and their levels.
template <int kRowTiles, int kBlocks, class Machine>
void run_tiles(Machine& machine, const GemmU8& call, const Depth& depth, const RowTiles& rows, const Weights& weights) {
  machine.template zero<0>();
  if constexpr (kBlocks > 1) machine.template zero<1>();
  if constexpr (kRowTiles > 1) machine.template zero<2>();
  if constexpr (kRowTiles > 1 && kBlocks > 1) machine.template zero<3>();
  const std::byte* w = weights.at;
  for (std::ptrdiff_t at = 0; at < depth.padded(); at += depth.piece, w += depth.piece / 4 * weights.stride) {
    machine.template load<kWeightTile>(w, weights.stride);
    machine.template load<kLevelTile>(rows.a[0] + at, rows.stride);
    machine.template multiply<0, kLevelTile, kWeightTile>();
    if constexpr (kBlocks > 1) {
      machine.template load<kWeightTile + 1>(w + kBlockBytes, weights.stride);
      machine.template multiply<1, kLevelTile, kWeightTile + 1>();
    }
    if constexpr (kRowTiles > 1) {
      machine.template load<kLevelTile + 1>(rows.a[1] + at, rows.stride);
      machine.template multiply<2, kLevelTile + 1, kWeightTile>();
    }
    if constexpr (kRowTiles > 1 && kBlocks > 1) machine.template multiply<3, kLevelTile + 1, kWeightTile + 1>();
  }
  alignas(kTileBytes) std::int32_t sums[2][kTileRows * kStride];
  constexpr std::ptrdiff_t kStrideBytes = kStride * 4;
  machine.template store<0>(sums[0], kStrideBytes);
  if constexpr (kBlocks > 1) machine.template store<1>(sums[0] + kOutputs, kStrideBytes);
  if constexpr (kRowTiles > 1) machine.template store<2>(sums[1], kStrideBytes);
  if constexpr (kRowTiles > 1 && kBlocks > 1) machine.template store<3>(sums[1] + kOutputs, kStrideBytes);
  const int left = call.n - weights.first;
  const int count = left < kBlocks * kOutputs ? left : kBlocks * kOutputs;
  for (int i = 0; i < kRowTiles; ++i) machine.finish(call, sums[i], rows.row[i], rows.rows, weights.first, count);
}

/// kRowTiles tiles of rows by all weights.
template <int kRowTiles, class Machine>
void run_row_tiles(Machine& machine, const GemmU8& call, const Depth& depth, const RowTiles& rows) {
  const Panels panels = tile_panels(call.n);
  const std::byte* panel_weights = call.weights;
  for (int panel = 0; panel < panels.count(); ++panel) {
    const int blocks = panels.blocks_of(panel);
    for (int block = 0; block < blocks; block += 2) {
      const Weights weights{panel_weights + block * kBlockBytes, blocks * kBlockBytes, (panels.first_block(panel) + block) * kOutputs};
      if (block + 1 < blocks) {
        run_tiles<kRowTiles, 2>(machine, call, depth, rows, weights);
      } else {
        run_tiles<kRowTiles, 1>(machine, call, depth, rows, weights);
      }
    }
    panel_weights += std::ptrdiff_t{blocks} * depth.padded() * kOutputs;
  }
}

/// All products of a call.
template <class Machine>
void run_in_tiles(Machine& machine, const GemmU8& call) {
  const Depth depth(call.line_count * call.k);
  const int m = call.m * call.times;
  const int rows = even_piece(m, kTileRows, 1);
  Joined joined;
  machine.configure(sizes_for(rows, depth.piece));
  for (int row = 0; row < m; row += 2 * rows) {
    RowTiles tiles{{}, call.lines == nullptr ? call.a_stride : Joined::kRowBytes, {}, rows};
    for (int i = 0; i < 2; ++i) {
      const int from = row + i * rows;
      tiles.row[i] = from < m - rows ? from : m - rows;
      if (call.lines == nullptr) {
        tiles.a[i] = call.a + tiles.row[i] * call.a_stride;
      } else if (from < m) {
        join(call, tiles.row[i], rows, joined.at + i * kTileRows);
        tiles.a[i] = joined.at[i * kTileRows];
      }
    }
    if (row + rows < m) {
      run_row_tiles<2>(machine, call, depth, tiles);
    } else {
      run_row_tiles<1>(machine, call, depth, tiles);
    }
  }
  machine.release();
}

}  // namespace
}  // namespace moru::kernels
