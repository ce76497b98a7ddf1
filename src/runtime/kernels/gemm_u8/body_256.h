// SPDX-License-Identifier: Apache-2.0
// Products in registers of 8 lanes, over what each ISA's file defines before it includes this:
//   kOfStep                 levels along k that a lane takes at a time, 4 bytes of them together
//   kBlockBytes             of the weights of 8 outputs for a step, and load_weights(), which makes a register of them
//   add_products()          sums += the products of levels in all lanes and of weights
//   chains_for()            how many sums of each kind a tile of so many must have under way
// and, after it, next_part() for rows that are too long to be read at a time. A step takes kOfStep levels of a row in all lanes, times
// those of the weights of 8 outputs.
// Weights: [panel][line][ceil(k / kOfStep)][blocks of the panel][8 lanes][kOfStep]; zeros behind k.
#pragma once

#include "runtime/kernels/avx2.h"
#include "runtime/kernels/gemm_u8/gemm_u8.h"
#include "runtime/kernels/tiles.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

constexpr int kPanelBlocks = 2;
/// Rows of a tile of two blocks: sums, weights, levels and a product fill the 16 registers.
constexpr int kRows = 6;

constexpr Panels panels_of(int n) { return {n, kLanes, kPanelBlocks}; }
constexpr std::ptrdiff_t steps_of(int k) { return (std::ptrdiff_t{k} + kOfStep - 1) / kOfStep; }

std::size_t packed_bytes(int n, int lines, int k) {
  return static_cast<std::size_t>(panels_of(n).blocks() * lines * steps_of(k) * kBlockBytes);
}

void pack(const std::int8_t* w, int n, int lines, int k, std::byte* packed) {
  const Panels panels = panels_of(n);
  for (int panel = 0; panel < panels.count(); ++panel) {
    const int end = panels.first_block(panel + 1) * kLanes;
    for (int line = 0; line < lines; ++line) {
      for (int at = 0; at < k; at += kOfStep) {
        for (int o = panels.first_block(panel) * kLanes; o < end; ++o) {
          const std::int8_t* row = w + (std::ptrdiff_t{o} * lines + line) * k;
          for (int i = at; i < at + kOfStep; ++i) *packed++ = o < n && i < k ? static_cast<std::byte>(row[i]) : std::byte{0};
        }
      }
    }
  }
}

/// Where an ISA's file keeps rows that it had to change.
struct Room;

/// Rows as they are multiplied: of each line so many steps.
struct Source {
  const std::uint8_t* const* lines;
  int line_count;
  std::ptrdiff_t stride;  ///< bytes from one row to the next
  std::ptrdiff_t steps;   ///< of each line
  int first = 0;          ///< row
};

/// What the tiles of one panel share.
struct Panel {
  const GemmU8& call;
  Source source;
  int parts;  ///< in which the rows come along k: more than one from next_part()
  Room* room;
  const std::byte* weights;
  int first = 0;  ///< output
};

/// Part `part` of some rows, from `row` on.
Source next_part(const Panel& panel, int row, int rows, int part);

/// Sums of a tile: in each lane an output.
template <int kMr, int kNb>
struct Sums {
  __m256i at[kMr][kNb];
};

/// What sums start with: the bias, less the part of the weights' zero point.
template <int kMr, int kNb>
[[gnu::always_inline]] inline void start(const Panel& panel, int row, Sums<kMr, kNb>& sums) {
  const GemmU8& call = panel.call;
  unroll<kNb>(MORU_BODY(auto b) {
    const __m256i bias = load(call.bias + panel.first + b * kLanes);
    unroll<kMr>(MORU_BODY(auto i) { sums.at[i][b] = bias; });
  });
  if (call.row_sums == nullptr) return;
  unroll<kNb>(MORU_BODY(auto b) {
    const __m256i w_zero = load(call.w_zero + panel.first + b * kLanes);
    unroll<kMr>(MORU_BODY(auto i) {
      const __m256i row_sum = _mm256_set1_epi32(call.row_sums[row + i]);
      sums.at[i][b] = _mm256_sub_epi32(sums.at[i][b], _mm256_mullo_epi32(w_zero, row_sum));
    });
  });
}

/// sums += rows * weights over all of `source`. Each of kChains has sums of its own until the end.
template <int kMr, int kNb>
[[gnu::always_inline]] inline void multiply(const Source& source, int row, const std::byte*& w, Sums<kMr, kNb>& sums) {
  constexpr int kChains = chains_for(kMr * kNb);
  Sums<kMr, kNb> chains[kChains];
  chains[0] = sums;
  unroll<kChains - 1>(
      MORU_BODY(auto chain) { unroll<kMr * kNb>(MORU_BODY(auto i) { chains[chain + 1].at[i / kNb][i % kNb] = _mm256_setzero_si256(); }); });
  const std::uint8_t* a[(kMr + 3) / 4];  // every fourth row: the others are reached by the stride
  const std::ptrdiff_t stride = source.stride;
  const auto step = MORU_BODY(Sums<kMr, kNb> & to) {
    __m256i weights[kNb];
    unroll<kNb>(MORU_BODY(auto b) { weights[b] = load_weights(w + b * kBlockBytes); });
    unroll<kMr>(MORU_BODY(auto i) {
      int bytes = 0;
      __builtin_memcpy(&bytes, a[i / 4] + (i % 4) * stride, sizeof bytes);
      const __m256i levels = _mm256_set1_epi32(bytes);
      unroll<kNb>(MORU_BODY(auto b) { add_products(to.at[i][b], levels, weights[b]); });
    });
    w += kNb * kBlockBytes;
    unroll<(kMr + 3) / 4>(MORU_BODY(auto i) { a[i] += 4; });
  };
  for (int line = 0; line < source.line_count; ++line) {
    unroll<(kMr + 3) / 4>(MORU_BODY(auto i) { a[i] = source.lines[line] + (row - source.first + 4 * i) * stride; });
    std::ptrdiff_t steps = source.steps;
    for (; steps >= kChains; steps -= kChains) {
      unroll<kChains>(MORU_BODY(auto chain) { step(chains[chain]); });
    }
    for (; kChains > 1 && steps > 0; --steps) step(chains[0]);
  }
  unroll<kMr * kNb>(MORU_BODY(auto i) {
    __m256i& sum = chains[0].at[i / kNb][i % kNb];
    unroll<kChains - 1>(MORU_BODY(auto chain) { sum = _mm256_add_epi32(sum, chains[chain + 1].at[i / kNb][i % kNb]); });
  });
  sums = chains[0];
}

/// To levels, and to c: 32 at a time, of two rows, or of four.
template <int kMr, int kNb>
[[gnu::always_inline]] inline void finish(const Panel& panel, int row, const Levels& levels, const Sums<kMr, kNb>& sums) {
  constexpr int kTogether = 4 / kNb;
  const GemmU8& call = panel.call;
  const int left = call.n - panel.first;
  const int count = left < kNb * kLanes ? left : kNb * kLanes;
  const bool side_by_side = call.n == kNb * kLanes && call.c_stride == call.n;
  __m256 factor[kNb];
  unroll<kNb>(MORU_BODY(auto b) { factor[b] = _mm256_loadu_ps(call.to.factor + panel.first + b * kLanes); });
  unroll<(kMr + kTogether - 1) / kTogether>(MORU_BODY(auto group) {
    __m256i steps[4];
    unroll<4>(MORU_BODY(auto i) {
      constexpr int kAt = group * kTogether + i / kNb;
      if constexpr (kAt < kMr) {
        steps[i] = levels.steps(sums.at[kAt][i % kNb], factor[i % kNb]);
      } else {
        steps[i] = steps[0];
      }
    });
    const __m256i y = levels.pack_in_order(steps[0], steps[1], steps[2], steps[3]);
    std::uint8_t* c = call.c + (row + group * kTogether) * call.c_stride + panel.first;
    if constexpr (group * kTogether + kTogether <= kMr) {
      if (side_by_side) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(c), y);
        return;
      }
    }
    unroll<kTogether>(MORU_BODY(auto i) {
      if constexpr (group * kTogether + i < kMr) {
        const __m128i half = i * kNb < 2 ? _mm256_castsi256_si128(y) : _mm256_extracti128_si256(y, 1);
        store_first(c + i * call.c_stride, i * kNb % 2 == 0 ? half : _mm_srli_si128(half, 8), count);
      }
    });
  });
}

/// `tiles` tiles of kMr rows, from `row` on.
template <int kMr, int kNb>
void run_tiles(const Panel& panel, int row, int tiles) {
  const Levels levels(panel.call.to);
  for (; tiles > 0; --tiles, row += kMr) {
    Sums<kMr, kNb> sums;
    start(panel, row, sums);
    const std::byte* w = panel.weights;
    if (panel.parts == 1) {
      multiply(panel.source, row, w, sums);
    } else {
      for (int part = 0; part < panel.parts; ++part) multiply(next_part(panel, row, kMr, part), row, w, sums);
    }
    finish(panel, row, levels, sums);
  }
}

/// kMr: the rows that tiles have.
template <int kNb, int... kMr>
void run_panel(const Panel& panel, int row, int end) {
  static constexpr TileOf<Panel> kTiles[] = {{kMr, run_tiles<kMr, kNb>}...};
  split_rows(panel, end, kTiles, row);
}

/// Rows that go through all panels before the next do: a panel writes but a part of each row of c, which should still be in the first
/// cache when the next panel goes on with it.
int rows_together(const GemmU8& call) {
  constexpr int kBytes = 16384;
  const std::ptrdiff_t most = kBytes / (call.n + std::ptrdiff_t{call.line_count} * call.k) / (2 * kRows) * (2 * kRows);
  return static_cast<int>(most < 4 * kRows ? 4 * kRows : most);
}

/// The rows [row, end) by all weights, of which `panel` has the first.
void run_rows(Panel panel, int row, int end) {
  const GemmU8& call = panel.call;
  const Panels panels = panels_of(call.n);
  for (int i = 0; i < panels.count(); ++i) {
    const int blocks = panels.blocks_of(i);
    if (blocks == 1) {
      run_panel<1, 2 * kRows, kRows, 4, 3, 2, 1>(panel, row, end);
    } else {
      run_panel<2, kRows, 5, 4, 3, 2, 1>(panel, row, end);
    }
    panel.first += blocks * kLanes;
    panel.weights += blocks * call.line_count * steps_of(call.k) * kBlockBytes;
  }
}

/// The products one after the other, each by run_once(call).
template <class RunOnce>
void run_times(const GemmU8& call, RunOnce run_once) {
  GemmU8 now = call;
  for (int i = 0; i < call.times; ++i) {
    run_once(now);
    if (now.lines != nullptr) now.lines += call.line_step;
    now.c += call.m * call.c_stride;
  }
}

}  // namespace
}  // namespace moru::kernels
