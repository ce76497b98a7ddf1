// SPDX-License-Identifier: Apache-2.0
// The kernel over registers of Simd::kLanes floats, which each ISA's file defines before it includes this.
// Weights: [panel][line][k][blocks of the panel][kLanes]. With outputs for half of the lanes or fewer, two lanes share one output and a
// step takes two numbers along k: [line][ceil(k / 2)][kLanes / 2][2].
#pragma once

#include "runtime/kernels/gemm_f32/gemm_f32.h"
#include "runtime/kernels/tiles.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

using Vector = Simd::Vector;
constexpr int kLanes = Simd::kLanes;
constexpr int kNarrow = kLanes / 2;
constexpr Panels panels_of(int n) { return {n, kLanes, Simd::kPanelBlocks}; }
constexpr int pairs_of(int k) { return (k + 1) / 2; }

std::size_t packed_bytes(int n, int lines, int k) {
  if (n <= kNarrow) return static_cast<std::size_t>(lines) * static_cast<std::size_t>(pairs_of(k)) * sizeof(Vector);
  return static_cast<std::size_t>(panels_of(n).blocks()) * static_cast<std::size_t>(lines) * static_cast<std::size_t>(k) * sizeof(Vector);
}

void pack_narrow(const float* w, std::ptrdiff_t n_stride, std::ptrdiff_t k_stride, int n, int lines, int k, float* to) {
  for (int line = 0; line < lines; ++line) {
    for (int at = 0; at < 2 * pairs_of(k); at += 2) {
      for (int o = 0; o < kNarrow; ++o) {
        for (int i = at; i < at + 2; ++i) *to++ = o < n && i < k ? w[o * n_stride + (std::ptrdiff_t{line} * k + i) * k_stride] : 0;
      }
    }
  }
}

void pack_wide(const float* w, std::ptrdiff_t n_stride, std::ptrdiff_t k_stride, int n, int k, float* to) {
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

void pack(const float* w, int n, int lines, int k, std::byte* packed) {
  auto* to = reinterpret_cast<float*>(packed);
  const std::ptrdiff_t row = std::ptrdiff_t{lines} * k;
  if (n <= kNarrow) return pack_narrow(w, row, 1, n, lines, k, to);
  pack_wide(w, row, 1, n, static_cast<int>(row), to);
}

void pack_strided(const float* w, std::ptrdiff_t n_stride, std::ptrdiff_t k_stride, int n, int k, std::byte* packed) {
  auto* to = reinterpret_cast<float*>(packed);
  if (n <= kNarrow) return pack_narrow(w, n_stride, k_stride, n, 1, k, to);
  pack_wide(w, n_stride, k_stride, n, k, to);
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

/// What the narrow tiles need of a call. Rows stand one in the lower half of a register, the next in the upper.
struct Narrow {
  explicit Narrow(const GemmF32& of)
      : call(of),
        lower(Simd::first(of.n)),
        upper(Simd::between(kNarrow, kNarrow + of.n)),
        low(Simd::all(of.low)),
        high(Simd::all(of.high)) {
    bias = Simd::add(Simd::load(of.bias, lower), Simd::load(of.bias - kNarrow, upper));
  }

  const GemmF32& call;
  Simd::Mask lower;
  Simd::Mask upper;
  Vector low;
  Vector high;
  Vector bias;
};

/// Rows `row` and, where there are two, the next.
[[gnu::always_inline]] inline void finish_narrow(const Narrow& narrow, int row, bool two, Vector sum) {
  const GemmF32& call = narrow.call;
  sum = Simd::add(sum, narrow.bias);
  if (call.residual != nullptr) {
    const float* residual = call.residual + row * call.residual_stride;
    sum = Simd::add(sum, Simd::load(residual, narrow.lower));
    if (two) sum = Simd::add(sum, Simd::load(residual + call.residual_stride - kNarrow, narrow.upper));
  }
  sum = Simd::min(Simd::max(sum, narrow.low), narrow.high);
  float* c = call.c + row * call.c_stride;
  if (two && call.n == kNarrow && call.c_stride == kNarrow) return Simd::store(c, sum);
  Simd::store(c, sum, narrow.lower);
  if (two) Simd::store(c + call.c_stride - kNarrow, sum, narrow.upper);
}

template <int kMr>
void run_narrow(const Narrow& narrow, int row, int tiles) {
  const GemmF32& call = narrow.call;
  const std::ptrdiff_t stride = call.a_stride;
  for (; tiles > 0; --tiles, row += kMr) {
    Vector sums[kMr];
    unroll<kMr>(MORU_BODY(auto i) { sums[i] = Simd::all(0); });
    const auto* w = reinterpret_cast<const float*>(call.weights);
    for (int line = 0; line < call.line_count; ++line) {
      const float* from = (call.lines != nullptr ? call.lines[line] : call.a) + row * stride;
      const float* a[(kMr + 3) / 4];  // every fourth row: the others are reached by the stride
      unroll<(kMr + 3) / 4>(MORU_BODY(auto i) { a[i] = from + 4 * i * stride; });
      for (int pairs = call.k / 2; pairs > 0; --pairs, w += kLanes) {
        const Vector weights = Simd::load(w);
        unroll<kMr>(MORU_BODY(auto i) { sums[i] = Simd::fma(Simd::pairs(a[i / 4] + (i % 4) * stride), weights, sums[i]); });
        unroll<(kMr + 3) / 4>(MORU_BODY(auto i) { a[i] += 2; });
      }
      if (call.k % 2 == 0) continue;
      const Vector weights = Simd::load(w);  // what lies behind a row may be no number: it is not even multiplied by 0
      unroll<kMr>(MORU_BODY(auto i) { sums[i] = Simd::fma(Simd::halves(a[i / 4] + (i % 4) * stride), weights, sums[i]); });
      w += kLanes;
    }
    unroll<(kMr + 1) / 2>(MORU_BODY(auto i) {
      constexpr bool kTwo = 2 * i + 1 < kMr;
      finish_narrow(narrow, row + 2 * i, kTwo, Simd::join(sums[2 * i], sums[2 * i + (kTwo ? 1 : 0)]));
    });
  }
}

constexpr TileOf<Narrow> kNarrowTiles[] = {
    {12, run_narrow<12>}, {8, run_narrow<8>}, {4, run_narrow<4>}, {2, run_narrow<2>}, {1, run_narrow<1>}};

/// kPanels: for panels of one block, of two, and so on.
template <void (*... kPanels)(const Panel& panel)>
void run(const GemmF32& call) {
  if (call.n <= kNarrow) return split_rows(Narrow(call), call.m, kNarrowTiles);
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
