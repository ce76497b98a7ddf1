// SPDX-License-Identifier: Apache-2.0
// The kernel over Integers, which each ISA's file defines before it includes this: lanes of int32, and products of the levels that four
// bytes hold, of which a step takes as many along k: those of `a` in all lanes, times the weights of an output in each.
// Weights: [blocks][kLanes] int32 that sums start with, then [panel][ceil(k / kOfStep)][blocks of the panel][kLanes][kOfStep].
#pragma once

#include "runtime/kernels/hybrid/hybrid.h"
#include "runtime/kernels/hybrid/levels.h"
#include "runtime/kernels/tiles.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

using Lanes = Integers::Lanes;
constexpr int kOfStep = 4 / static_cast<int>(sizeof(Integers::Level));
constexpr Panels panels_of(int n) { return {n, Simd::kLanes, Integers::kPanelBlocks}; }
constexpr int steps_of(int k) { return (k + kOfStep - 1) / kOfStep; }

std::size_t packed_bytes(int n, int k) {
  return static_cast<std::size_t>(panels_of(n).blocks()) * (static_cast<std::size_t>(steps_of(k)) + 1) * sizeof(Lanes);
}

void pack(const std::int8_t* w, int n, int k, std::byte* packed) {
  const Panels panels = panels_of(n);
  auto* starts = reinterpret_cast<std::int32_t*>(packed);
  for (int o = 0; o < panels.blocks() * Simd::kLanes; ++o) {
    starts[o] = 0;
    for (int i = 0; i < k && o < n; ++i) starts[o] -= Integers::kZero * std::int32_t{w[std::ptrdiff_t{o} * k + i]};
  }
  auto* to = reinterpret_cast<Integers::Weight*>(starts + panels.blocks() * Simd::kLanes);
  for (int panel = 0; panel < panels.count(); ++panel) {
    const int end = panels.first_block(panel + 1) * Simd::kLanes;
    for (int at = 0; at < k; at += kOfStep) {
      for (int o = panels.first_block(panel) * Simd::kLanes; o < end; ++o) {
        for (int i = at; i < at + kOfStep; ++i) *to++ = o < n && i < k ? w[std::ptrdiff_t{o} * k + i] : 0;
      }
    }
  }
}

/// What the tiles of one panel share.
struct Panel {
  const HybridProduct& call;
  const std::int32_t* starts;
  const std::byte* weights;
  int first;  ///< output
};

template <int kMr, int kNb>
[[gnu::always_inline]] inline void multiply(const Panel& panel, int row, Lanes (&sums)[kMr][kNb]) {
  constexpr auto kBytes = static_cast<std::ptrdiff_t>(sizeof(Integers::Level));
  const std::ptrdiff_t stride = panel.call.a_stride * kBytes;
  const std::byte* a[(kMr + 3) / 4];  // every fourth row: the others are reached by the stride
  unroll<(kMr + 3) / 4>(MORU_BODY(auto i) { a[i] = panel.call.a + (row + 4 * i) * stride; });
  const std::byte* w = panel.weights;
  for (int steps = steps_of(panel.call.k); steps > 0; --steps, w += kNb * sizeof(Lanes)) {
    Lanes weights[kNb];
    unroll<kNb>(MORU_BODY(auto b) { weights[b] = Integers::load(w + b * sizeof(Lanes)); });
    unroll<kMr>(MORU_BODY(auto i) {
      const Lanes levels = Integers::broadcast(a[i / 4] + (i % 4) * stride);
      unroll<kNb>(MORU_BODY(auto b) { Integers::add_products(sums[i][b], levels, weights[b]); });
    });
    unroll<(kMr + 3) / 4>(MORU_BODY(auto i) { a[i] += 4; });
  }
}

template <int kMr, int kNb>
void run_tiles(const Panel& panel, int row, int tiles) {
  const HybridProduct& call = panel.call;
  const Simd::Vector low = Simd::all(call.low);
  const Simd::Vector high = Simd::all(call.high);
  const Simd::Vector step = Simd::all(call.step);
  const Simd::Mask last = Simd::first(call.n - panel.first - (kNb - 1) * Simd::kLanes);  // of the last block: the others are full
  for (; tiles > 0; --tiles, row += kMr) {
    Lanes sums[kMr][kNb];
    unroll<kMr * kNb>(MORU_BODY(auto i) { sums[i / kNb][i % kNb] = Integers::load(panel.starts + (i % kNb) * Simd::kLanes); });
    multiply<kMr, kNb>(panel, row, sums);
    float* c = call.c + row * call.c_stride + panel.first;
    unroll<kNb>(MORU_BODY(auto b) {
      const Simd::Vector scale = Simd::load(call.scale + panel.first + b * Simd::kLanes);
      const Simd::Vector bias = Simd::load(call.bias + panel.first + b * Simd::kLanes);
      unroll<kMr>(MORU_BODY(auto i) {
        const Simd::Vector real = Simd::add(Simd::mul(Simd::mul(Integers::to_floats(sums[i][b]), scale), step), bias);
        const Simd::Vector y = Simd::min(Simd::max(real, low), high);
        float* to = c + i * call.c_stride + b * Simd::kLanes;
        if constexpr (b + 1 < kNb) {
          Simd::store(to, y);
        } else {
          Simd::store(to, y, last);
        }
      });
    });
  }
}

/// kMr: the rows that tiles have. A tile of the first fills the registers with its sums, its weights and levels of `a`.
template <int kNb, int... kMr>
void run_panel(const Panel& panel) {
  static constexpr TileOf<Panel> kTiles[] = {{kMr, run_tiles<kMr, kNb>}...};
  split_rows(panel, panel.call.m, kTiles);
}

/// kPanels: for panels of one block, of two, and so on.
template <void (*... kPanels)(const Panel& panel)>
void run(const HybridProduct& call) {
  static constexpr decltype(&run_panel<1, 1>) kRunPanel[Integers::kPanelBlocks] = {kPanels...};
  const Panels panels = panels_of(call.n);
  const auto* starts = reinterpret_cast<const std::int32_t*>(call.weights);
  const std::byte* weights = call.weights + static_cast<std::size_t>(panels.blocks()) * sizeof(Lanes);
  for (int panel = 0; panel < panels.count(); ++panel) {
    const int blocks = panels.blocks_of(panel);
    const int first = panels.first_block(panel) * Simd::kLanes;
    kRunPanel[blocks - 1]({call, starts + first, weights, first});
    weights += static_cast<std::size_t>(blocks) * static_cast<std::size_t>(steps_of(call.k)) * sizeof(Lanes);
  }
}

}  // namespace
}  // namespace moru::kernels
