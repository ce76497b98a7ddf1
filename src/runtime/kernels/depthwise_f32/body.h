// SPDX-License-Identifier: Apache-2.0
// The kernel over registers of Simd::kLanes floats, which each ISA's file defines before it includes this: some columns of a block of
// channels at a time, so that each weight is loaded once for all of them.
#pragma once

#include "runtime/kernels/depthwise_f32/depthwise_f32.h"
#include "runtime/kernels/tiles.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

using Vector = Simd::Vector;
constexpr int kLanes = Simd::kLanes;

/// Channels of a row from `first` on, as many as there are lanes.
struct Block {
  const DepthwiseF32& call;
  int first;
  Simd::Mask mask;
  bool full;
};

/// kColumns columns from x on. kHeight and kWidth are the kernel's, or 0 for any.
template <int kHeight, int kWidth, int kColumns>
[[gnu::always_inline]] inline void run_columns(const Block& block, int x) {
  const DepthwiseF32& call = block.call;
  const std::ptrdiff_t pitch = std::ptrdiff_t{call.stride} * call.channels;
  const std::ptrdiff_t next = std::ptrdiff_t{call.dilation} * call.channels;
  const std::ptrdiff_t next_weight = (call.channels + kPadding - 1) / kPadding * kPadding;
  const float* w = call.weights + block.first;
  Vector sums[kColumns];
  const Vector bias = Simd::load(call.bias + block.first);
  unroll<kColumns>(MORU_BODY(auto column) { sums[column] = bias; });
  const auto tap = MORU_BODY(const float* at) {
    const Vector weight = Simd::load(w);
    w += next_weight;
    unroll<kColumns>(MORU_BODY(auto column) { sums[column] = Simd::fma(Simd::load(at + column * pitch), weight, sums[column]); });
  };
  const std::ptrdiff_t from = x * pitch + block.first;
  for (int i = 0; i < (kHeight > 0 ? kHeight : call.kernel_h); ++i) {
    const float* at = call.rows[i] + from;
    if constexpr (kWidth > 0) {
      unroll<kWidth>(MORU_BODY(auto j) { tap(at + j * next); });
    } else {
      for (int j = 0; j < call.kernel_w; ++j, at += next) tap(at);
    }
  }
  float* out = call.out + std::ptrdiff_t{x} * call.channels + block.first;
  const Vector low = Simd::all(call.low);
  const Vector high = Simd::all(call.high);
  unroll<kColumns>(MORU_BODY(auto column) {
    const Vector y = Simd::min(Simd::max(sums[column], low), high);
    if (block.full) {
      Simd::store(out + column * call.channels, y);
    } else {
      Simd::store(out + column * call.channels, y, block.mask);
    }
  });
}

template <int kHeight, int kWidth, int kColumns>
void run_tiles(const Block& block, int x, int tiles) {
  for (; tiles > 0; --tiles, x += kColumns) run_columns<kHeight, kWidth, kColumns>(block, x);
}

/// A row's columns are cut as a matrix's rows are.
template <int kHeight, int kWidth, int... kAt>
void run_block(const Block& block, std::integer_sequence<int, kAt...> /*columns*/) {
  static constexpr TileOf<Block> kTiles[] = {{Simd::kColumns - kAt, run_tiles<kHeight, kWidth, Simd::kColumns - kAt>}...};
  split_rows(block, block.call.out_width, kTiles);
}

void run_row(const DepthwiseF32& call) {
  for (int first = 0; first < call.channels; first += kLanes) {
    const int left = call.channels - first;
    const Block block{call, first, Simd::first(left), left >= kLanes};
    if (call.kernel_h == 3 && call.kernel_w == 3) {
      run_block<3, 3>(block, std::make_integer_sequence<int, Simd::kColumns>{});
    } else {
      run_block<0, 0>(block, std::make_integer_sequence<int, Simd::kColumns>{});
    }
  }
}

void run(const DepthwiseF32& call) {
  DepthwiseF32 row = call;
  for (int y = 0; y < call.out_height; ++y, row.rows += call.row_stride, row.out += std::ptrdiff_t{call.out_width} * call.channels) {
    run_row(row);
  }
}

}  // namespace
}  // namespace moru::kernels
