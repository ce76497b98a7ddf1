// SPDX-License-Identifier: Apache-2.0
// The kernel over registers of Simd::kLanes floats, which each ISA's file defines before it includes this.
// Weights: [panel][line][k][blocks of the panel][kLanes].
#pragma once

#include "runtime/kernels/gemm_f32/gemm_f32.h"
#include "runtime/kernels/tiles.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

using Vector = Simd::Vector;
constexpr int kLanes = Simd::kLanes;
constexpr Panels panels_of(int n) { return {n, kLanes, Simd::kPanelBlocks}; }

std::size_t packed_bytes(int n, int lines, int k) {
  return static_cast<std::size_t>(panels_of(n).blocks()) * static_cast<std::size_t>(lines) * static_cast<std::size_t>(k) * sizeof(Vector);
}

void pack_strided(const float* w, std::ptrdiff_t n_stride, std::ptrdiff_t k_stride, int n, int k, std::byte* packed) {
  auto* to = reinterpret_cast<float*>(packed);
  const Panels panels = panels_of(n);
  for (int panel = 0; panel < panels.count(); ++panel) {
    const int first = panels.first_block(panel) * kLanes;
    const int width = panels.blocks_of(panel) * kLanes;
    const int there = n - first < width ? n - first : width;
    const float* row = w + first * n_stride;
    for (int i = 0; i < k; ++i, row += k_stride, to += width) {
      if (n_stride == 1) {
        __builtin_memcpy(to, row, static_cast<std::size_t>(there) * sizeof(float));
      } else {
        for (int o = 0; o < there; ++o) to[o] = row[o * n_stride];
      }
      for (int o = there; o < width; ++o) to[o] = 0;
    }
  }
}

void pack(const float* w, int n, int lines, int line_k, std::byte* packed) {
  const int k = lines * line_k;
  pack_strided(w, k, 1, n, k, packed);
}

/// What the tiles of one panel share.
struct Panel {
  const GemmF32& call;
  const float* weights;
  int first;  ///< output
};

template <int kMr, int kNb>
struct Sums {
  Vector at[kMr][kNb];
};

/// So many sums must be under way to hide that each takes some cycles: further ones along k make up for a small tile.
constexpr int chains_for(int sums) { return sums >= 8 ? 1 : sums >= 4 ? 2 : sums >= 2 ? 4 : 8; }

/// sums += a * weights over all of k. Each of kChains has sums of its own until the end.
template <int kMr, int kNb>
[[gnu::always_inline]] inline void multiply(const Panel& panel, int row, Sums<kMr, kNb>& sums) {
  constexpr int kChains = chains_for(kMr * kNb);
  Sums<kMr, kNb> chains[kChains];
  chains[0] = sums;
  unroll<kChains - 1>(
      MORU_BODY(auto chain) { unroll<kMr * kNb>(MORU_BODY(auto i) { chains[chain + 1].at[i / kNb][i % kNb] = Simd::all(0); }); });
  const std::ptrdiff_t stride = panel.call.a_stride;
  const float* a[(kMr + 3) / 4];  // every fourth row: the others are reached by the stride
  const float* w = panel.weights;
  const auto step = MORU_BODY(Sums<kMr, kNb> & to) {
    Vector weights[kNb];
    unroll<kNb>(MORU_BODY(auto b) { weights[b] = Simd::load(w + b * kLanes); });
    unroll<kMr>(MORU_BODY(auto i) {
      const Vector x = Simd::all(a[i / 4][(i % 4) * stride]);
      unroll<kNb>(MORU_BODY(auto b) { to.at[i][b] = Simd::fma(x, weights[b], to.at[i][b]); });
    });
    w += kNb * kLanes;
    unroll<(kMr + 3) / 4>(MORU_BODY(auto i) { ++a[i]; });
  };
  for (int line = 0; line < panel.call.line_count; ++line) {
    const float* from = panel.call.lines != nullptr ? panel.call.lines[line] : panel.call.a;
    unroll<(kMr + 3) / 4>(MORU_BODY(auto i) { a[i] = from + (row + 4 * i) * stride; });
    int steps = panel.call.k;
    for (; steps >= kChains; steps -= kChains) {
      unroll<kChains>(MORU_BODY(auto chain) { step(chains[chain]); });
    }
    for (; kChains > 1 && steps > 0; --steps) step(chains[0]);
  }
  unroll<kMr * kNb>(MORU_BODY(auto i) {
    Vector& sum = chains[0].at[i / kNb][i % kNb];
    unroll<kChains - 1>(MORU_BODY(auto chain) { sum = Simd::add(sum, chains[chain + 1].at[i / kNb][i % kNb]); });
  });
  sums = chains[0];
}

/// Tiles of kMr rows from `row` on.
template <int kMr, int kNb>
void run_tiles(const Panel& panel, int row, int tiles) {
  const GemmF32& call = panel.call;
  const Vector low = Simd::all(call.low);
  const Vector high = Simd::all(call.high);
  const Simd::Mask last = Simd::first(call.n - panel.first - (kNb - 1) * kLanes);  // of the last block: the others are full
  for (; tiles > 0; --tiles, row += kMr) {
    Sums<kMr, kNb> sums;
    unroll<kMr * kNb>(MORU_BODY(auto i) { sums.at[i / kNb][i % kNb] = Simd::load(call.bias + panel.first + (i % kNb) * kLanes); });
    multiply<kMr, kNb>(panel, row, sums);
    float* c = call.c + row * call.c_stride + panel.first;
    if (call.residual != nullptr) {
      const float* residual = call.residual + row * call.residual_stride + panel.first;
      unroll<kMr * kNb>(MORU_BODY(auto i) {
        const float* at = residual + (i / kNb) * call.residual_stride + (i % kNb) * kLanes;
        Vector& sum = sums.at[i / kNb][i % kNb];
        sum = Simd::add(sum, i % kNb + 1 < kNb ? Simd::load(at) : Simd::load(at, last));
      });
    }
    unroll<kMr * kNb>(MORU_BODY(auto i) {
      const Vector y = Simd::min(Simd::max(sums.at[i / kNb][i % kNb], low), high);
      float* to = c + (i / kNb) * call.c_stride + (i % kNb) * kLanes;
      if constexpr (i % kNb + 1 < kNb) {
        Simd::store(to, y);
      } else {
        Simd::store(to, y, last);
      }
    });
  }
}

/// kMr: the rows that tiles have. A tile of the first fills the registers with its sums, its weights and an element of `a`.
template <int kNb, int... kMr>
void run_panel(const Panel& panel) {
  static constexpr TileOf<Panel> kTiles[] = {{kMr, run_tiles<kMr, kNb>}...};
  split_rows(panel, panel.call.m, kTiles);
}

/// kPanels: for panels of one block, of two, and so on.
template <void (*... kPanels)(const Panel& panel)>
void run(const GemmF32& call) {
  static constexpr decltype(&run_panel<1, 1>) kRunPanel[Simd::kPanelBlocks] = {kPanels...};
  const auto* weights = reinterpret_cast<const float*>(call.weights);
  const Panels panels = panels_of(call.n);
  for (int panel = 0; panel < panels.count(); ++panel) {
    const int blocks = panels.blocks_of(panel);
    kRunPanel[blocks - 1]({call, weights, panels.first_block(panel) * kLanes});
    weights += static_cast<std::ptrdiff_t>(blocks) * kLanes * call.line_count * call.k;
  }
}

}  // namespace
}  // namespace moru::kernels
