// SPDX-License-Identifier: Apache-2.0
// Tiles as a processor with AMX has them, in plain C++: what it would refuse with a fault ends the test with one, too.
#pragma once

#include "runtime/kernels/gemm_u8/body_amx.h"

namespace moru::kernels {
namespace {

class TilesForTest {
 public:
  TilesForTest() = default;
  ~TilesForTest() { must(!configured_); }
  TilesForTest(const TilesForTest&) = delete;
  TilesForTest& operator=(const TilesForTest&) = delete;

  void configure(const TileSizes& sizes) {
    must(sizes.palette == 1 && sizes.start_row == 0);
    for (const std::uint8_t byte : sizes.reserved) must(byte == 0);
    for (int tile = 0; tile < 16; ++tile) {
      const int rows = sizes.rows[tile];
      const int row_bytes = sizes.row_bytes[tile];
      must(rows <= kTileRows && row_bytes <= kTileBytes && (rows == 0) == (row_bytes == 0) && (tile < kTiles || rows == 0));
    }
    sizes_ = sizes;
    configured_ = true;
    __builtin_memset(tiles_, 0, sizeof tiles_);
  }
  void release() { configured_ = false; }

  template <int kTile>
  void zero() {
    must_have(kTile);
    __builtin_memset(tiles_[kTile], 0, sizeof tiles_[kTile]);
  }
  template <int kTile>
  void load(const void* at, std::ptrdiff_t stride) {
    zero<kTile>();
    for (int row = 0; row < sizes_.rows[kTile]; ++row) {
      __builtin_memcpy(tiles_[kTile][row], static_cast<const std::byte*>(at) + row * stride, sizes_.row_bytes[kTile]);
    }
  }
  template <int kTile>
  void store(void* at, std::ptrdiff_t stride) const {
    must_have(kTile);
    for (int row = 0; row < sizes_.rows[kTile]; ++row) {
      __builtin_memcpy(static_cast<std::byte*>(at) + row * stride, tiles_[kTile][row], sizes_.row_bytes[kTile]);
    }
  }
  template <int kSums, int kLevels, int kWeights>
  void multiply() {
    static_assert(kSums != kLevels && kSums != kWeights && kLevels != kWeights);
    must_have(kSums);
    must_have(kLevels);
    must_have(kWeights);
    const int quads = sizes_.row_bytes[kLevels] / 4;
    const int outputs = sizes_.row_bytes[kSums] / 4;
    must(sizes_.row_bytes[kLevels] % 4 == 0 && sizes_.row_bytes[kSums] % 4 == 0);
    must(sizes_.rows[kSums] == sizes_.rows[kLevels] && sizes_.row_bytes[kSums] == sizes_.row_bytes[kWeights] &&
         sizes_.rows[kWeights] == quads);
    for (int row = 0; row < sizes_.rows[kSums]; ++row) {
      for (int o = 0; o < outputs; ++o) {
        std::uint32_t sum = 0;
        __builtin_memcpy(&sum, tiles_[kSums][row] + 4 * o, sizeof sum);
        for (int k = 0; k < 4 * quads; ++k) {
          const auto weight = static_cast<std::int8_t>(tiles_[kWeights][k / 4][4 * o + k % 4]);
          sum += static_cast<std::uint32_t>(tiles_[kLevels][row][k] * weight);
        }
        __builtin_memcpy(tiles_[kSums][row] + 4 * o, &sum, sizeof sum);
      }
    }
  }

 private:
  static void must(bool holds) {
    if (!holds) __builtin_trap();
  }
  void must_have(int tile) const { must(configured_ && sizes_.rows[tile] > 0); }

  TileSizes sizes_;
  bool configured_ = false;
  std::uint8_t tiles_[kTiles][kTileRows][kTileBytes] = {};
};

}  // namespace
}  // namespace moru::kernels
