// SPDX-License-Identifier: Apache-2.0
// Convolutions of 3 x 3, stride 1, by fewer products (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015; F(4x4,
// 3x3)). An image is cut into tiles of 4 x 4 outputs, counted row by row. Each reads 6 x 6 places, of which 36 others are made; of each of
// these all tiles are a matrix, [tiles, channels], which is multiplied by weights of its own; and of the 36 products the outputs are made.
#pragma once

#include <span>

#include "runtime/kernels/common.h"

namespace moru::kernels {

inline constexpr int kWinogradTile = 4;     ///< outputs of a tile, down and across
inline constexpr int kWinogradPlaces = 36;  ///< matrices
/// Floats of a row of a matrix of `channels`: whole registers are written.
constexpr std::ptrdiff_t winograd_row(int channels) { return (std::ptrdiff_t{channels} + 15) / 16 * 16; }

struct WinogradIn {
  int channels = 0;
  int height = 0;
  int width = 0;
  int pad_top = 0;
  int pad_left = 0;
  const float* in = nullptr;  ///< [height, width, channels]; outside of it is 0
  int tiles_across = 0;
  int first = 0;        ///< tile
  int count = 0;        ///< tiles
  float* to = nullptr;  ///< [kWinogradPlaces, count, winograd_row(channels)]
};

struct WinogradOut {
  int channels = 0;
  int height = 0;
  int width = 0;
  int tiles_across = 0;
  int first = 0;
  int count = 0;
  const float* from = nullptr;      ///< [kWinogradPlaces, count, winograd_row(channels)]
  const float* bias = nullptr;      ///< padded(channels)
  const float* residual = nullptr;  ///< as out, or null; may be out
  float* out = nullptr;             ///< [height, width, channels] = clamp(product + bias + residual, low, high)
  float low = 0;                    ///< -inf for none
  float high = 0;                   ///< inf for none
};

struct WinogradF32Kernel {
  Isa isa;
  void (*to_tiles)(const WinogradIn& call);
  void (*from_tiles)(const WinogradOut& call);
};

std::span<const WinogradF32Kernel* const> all_winograd_f32();

}  // namespace moru::kernels
