// SPDX-License-Identifier: Apache-2.0
// The kernel over registers of Simd::kLanes channels, which each ISA's file defines before it includes this. Both ways a tile is taken
// column by column, then row by row.
#pragma once

#include "runtime/kernels/unroll.h"
#include "runtime/kernels/winograd_f32/winograd_f32.h"

namespace moru::kernels {
namespace {

using Vector = Simd::Vector;
constexpr int kLanes = Simd::kLanes;
constexpr int kSide = 6;

/// B^T x, of the points 0, 1, -1, 2, -2 and infinity.
[[gnu::always_inline]] inline void to_points(const Vector (&x)[kSide], Vector (&y)[kSide]) {
  const Vector four = Simd::all(4);
  const Vector minus_four = Simd::all(-4);
  const Vector minus_five = Simd::all(-5);
  y[0] = Simd::fma(four, x[0], Simd::fma(minus_five, x[2], x[4]));
  y[5] = Simd::fma(four, x[1], Simd::fma(minus_five, x[3], x[5]));
  const Vector even = Simd::fma(minus_four, x[2], x[4]);
  const Vector odd = Simd::fma(minus_four, x[1], x[3]);
  y[1] = Simd::add(even, odd);
  y[2] = Simd::sub(even, odd);
  const Vector far = Simd::sub(x[4], x[2]);
  const Vector near = Simd::sub(x[3], x[1]);
  y[3] = Simd::fma(Simd::all(2), near, far);
  y[4] = Simd::fma(Simd::all(-2), near, far);
}

/// A^T x.
[[gnu::always_inline]] inline void from_points(const Vector (&x)[kSide], Vector (&y)[kWinogradTile]) {
  const Vector sum = Simd::add(x[1], x[2]);
  const Vector difference = Simd::sub(x[1], x[2]);
  const Vector far_sum = Simd::add(x[3], x[4]);
  const Vector far_difference = Simd::sub(x[3], x[4]);
  y[0] = Simd::add(Simd::add(x[0], sum), far_sum);
  y[1] = Simd::fma(Simd::all(2), far_difference, difference);
  y[2] = Simd::fma(Simd::all(4), far_sum, sum);
  y[3] = Simd::add(Simd::fma(Simd::all(8), far_difference, difference), x[5]);
}

/// Floats from one element to the next, down and across.
struct Pitch {
  std::ptrdiff_t row;
  std::ptrdiff_t column;
};

/// 6 x 6 registers at `in` to 36 at `to`, `plane` floats apart.
void transform_tile(const float* in, Pitch pitch, float* to, std::ptrdiff_t plane) {
  Vector middle[kSide][kSide];
  unroll<kSide>(MORU_BODY(auto j) {
    Vector x[kSide];
    Vector y[kSide];
    unroll<kSide>(MORU_BODY(auto i) { x[i] = Simd::load(in + i * pitch.row + j * pitch.column); });
    to_points(x, y);
    unroll<kSide>(MORU_BODY(auto i) { middle[i][j] = y[i]; });
  });
  unroll<kSide>(MORU_BODY(auto i) {
    Vector y[kSide];
    to_points(middle[i], y);
    unroll<kSide>(MORU_BODY(auto j) { Simd::store(to + (i * kSide + j) * plane, y[j]); });
  });
}

/// A block of channels of what a tile reads, from place (top, left) on, with zeros where the image ends.
void copy_inside(const WinogradIn& call, int top, int left, int channel, float* to) {
  for (int i = 0; i < kSide; ++i) {
    for (int j = 0; j < kSide; ++j, to += kLanes) {
      const int row = top + i;
      const int column = left + j;
      const bool inside = row >= 0 && row < call.height && column >= 0 && column < call.width;
      Simd::store(to, inside ? Simd::load(call.in + (std::ptrdiff_t{row} * call.width + column) * call.channels + channel) : Simd::all(0));
    }
  }
}

void to_tiles(const WinogradIn& call) {
  const std::ptrdiff_t row = winograd_row(call.channels);
  const std::ptrdiff_t plane = call.count * row;
  const Pitch image{std::ptrdiff_t{call.width} * call.channels, call.channels};
  alignas(64) float copy[kSide * kSide * kLanes];
  float* to = call.to;
  for (int tile = call.first; tile < call.first + call.count; ++tile, to += row) {
    const int top = tile / call.tiles_across * kWinogradTile - call.pad_top;
    const int left = tile % call.tiles_across * kWinogradTile - call.pad_left;
    const bool inside = top >= 0 && left >= 0 && top + kSide <= call.height && left + kSide <= call.width;
    for (int channel = 0; channel < call.channels; channel += kLanes) {
      if (inside) {
        transform_tile(call.in + top * image.row + left * image.column + channel, image, to + channel, plane);
      } else {
        copy_inside(call, top, left, channel, copy);
        transform_tile(copy, {kSide * kLanes, kLanes}, to + channel, plane);
      }
    }
  }
}

/// A block of channels.
struct Block {
  const WinogradOut& call;
  int channel;
  Simd::Mask mask;
};

/// 36 registers at `from`, `plane` floats apart, to rows [0, rows) and columns [0, columns) of the outputs from `at` on.
void finish_tile(const Block& block, const float* from, std::ptrdiff_t plane, std::ptrdiff_t at, int rows, int columns) {
  const WinogradOut& call = block.call;
  const std::ptrdiff_t channels = call.channels;
  const std::ptrdiff_t line = call.width * channels;
  const Vector low = Simd::all(call.low);
  const Vector high = Simd::all(call.high);
  const Vector bias = Simd::load(call.bias + block.channel);
  const float* const residual = call.residual != nullptr ? call.residual + at : nullptr;
  float* const out = call.out + at;
  Vector middle[kWinogradTile][kSide];
  unroll<kSide>(MORU_BODY(auto j) {
    Vector x[kSide];
    Vector y[kWinogradTile];
    unroll<kSide>(MORU_BODY(auto i) { x[i] = Simd::load(from + (i * kSide + j) * plane); });
    from_points(x, y);
    unroll<kWinogradTile>(MORU_BODY(auto i) { middle[i][j] = y[i]; });
  });
  unroll<kWinogradTile>(MORU_BODY(auto i) {
    if (i >= rows) return;
    Vector y[kWinogradTile];
    from_points(middle[i], y);
    unroll<kWinogradTile>(MORU_BODY(auto j) {
      if (j >= columns) return;
      const std::ptrdiff_t place = i * line + j * channels;
      Vector sum = Simd::add(y[j], bias);
      if (residual != nullptr) sum = Simd::add(sum, Simd::load(residual + place, block.mask));
      Simd::store(out + place, Simd::min(Simd::max(sum, low), high), block.mask);
    });
  });
}

void from_tiles(const WinogradOut& call) {
  const std::ptrdiff_t row = winograd_row(call.channels);
  const std::ptrdiff_t plane = call.count * row;
  const float* from = call.from;
  for (int tile = call.first; tile < call.first + call.count; ++tile, from += row) {
    const int top = tile / call.tiles_across * kWinogradTile;
    const int left = tile % call.tiles_across * kWinogradTile;
    const std::ptrdiff_t at = (std::ptrdiff_t{top} * call.width + left) * call.channels;
    for (int channel = 0; channel < call.channels; channel += kLanes) {
      const Block block{call, channel, Simd::first(call.channels - channel)};
      finish_tile(block, from + channel, plane, at + channel, call.height - top, call.width - left);
    }
  }
}

}  // namespace
}  // namespace moru::kernels
