// SPDX-License-Identifier: Apache-2.0
// The products of bytes that AVX2 has saturate, so levels and weights are made words first: the levels once for all panels, the weights
// when they are loaded. A step takes two words along k: a pair of `a` in all lanes, times the pairs of the weights of 8 outputs. Weights:
// [panel][line][ceil(k / 2)][blocks of the panel][8 lanes][2]; zeros behind k.
#include "runtime/kernels/avx2.h"

#include "runtime/kernels/gemm_u8/gemm_u8.h"
#include "runtime/kernels/tiles.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

constexpr int kPanelBlocks = 2;
/// Rows of a tile: with two blocks, sums, weights, a pair of `a` and a product fill the 16 registers.
constexpr int kRows = 6;
/// Levels of a row that are words at a time; even.
constexpr int kChunk = 1024;
constexpr int kBlockBytes = 16;
/// Lines of odd lengths take a word more each, and the last sixteen may go over the end.
constexpr int kMostRowWords = kChunk + kMostOfLines + 16;
static_assert(kChunk >= kMostOfLines);

constexpr Panels panels_of(int n) { return {n, kLanes, kPanelBlocks}; }
constexpr std::ptrdiff_t steps_of(int k) { return (std::ptrdiff_t{k} + 1) / 2; }

std::size_t packed_bytes(int n, int lines, int k) {
  return static_cast<std::size_t>(panels_of(n).blocks() * lines * steps_of(k) * kBlockBytes);
}

void pack(const std::int8_t* w, int n, int lines, int k, std::byte* packed) {
  const Panels panels = panels_of(n);
  for (int panel = 0; panel < panels.count(); ++panel) {
    const int end = panels.first_block(panel + 1) * kLanes;
    for (int line = 0; line < lines; ++line) {
      for (int at = 0; at < k; at += 2) {
        for (int o = panels.first_block(panel) * kLanes; o < end; ++o) {
          const std::int8_t* row = w + (std::ptrdiff_t{o} * lines + line) * k;
          for (int i = at; i < at + 2; ++i) *packed++ = o < n && i < k ? static_cast<std::byte>(row[i]) : std::byte{0};
        }
      }
    }
  }
}

/// Some rows of `a`, as words: as close to each other as can be, as a load that lies 4096 bytes behind a store waits for it.
struct Rows {
  explicit Rows(const GemmU8& call)
      : stride(call.k > kChunk ? kMostRowWords : (call.line_count * 2 * steps_of(call.k) + 16 + kLanes - 1) / kLanes * kLanes) {}
  std::int16_t* at(int i) { return words + i * stride; }

  std::ptrdiff_t stride;
  alignas(kRegister) std::int16_t words[kRows * kMostRowWords];
};

/// `count` levels; up to 15 more are read and written.
[[gnu::always_inline]] inline void widen(const std::uint8_t* a, int count, std::int16_t* words) {
  for (int k = 0; k < count; k += 16) _mm256_storeu_si256(reinterpret_cast<__m256i*>(words + k), _mm256_cvtepu8_epi16(load16(a + k)));
}

/// `count` levels of each row from column `from` on.
[[gnu::noinline]] void widen(const GemmU8& call, int row, int rows, int from, int count, Rows& to) {
  for (int i = 0; i < rows; ++i) widen(call.a + (row + i) * call.a_stride + from, count, to.at(i));
}

/// All lines of each row, one behind the other. What one writes too much is written over by the next.
[[gnu::noinline]] void widen_lines(const GemmU8& call, int row, int rows, Rows& to) {
  for (int i = 0; i < rows; ++i) {
    for (int line = 0; line < call.line_count; ++line) {
      widen(call.lines[line] + (row + i) * call.a_stride, call.k, to.at(i) + line * 2 * steps_of(call.k));
    }
  }
}

/// A panel, and the rows that are words now.
struct Tile {
  const GemmU8& call;
  const Levels& levels;
  const std::byte* weights;
  int first;  ///< output
  int row;
  Rows& rows;
};

/// What sums start with: the bias, less the part of the weights' zero point.
template <int kMr, int kNb>
[[gnu::always_inline]] inline void start(const Tile& tile, __m256i (&sums)[kMr][kNb]) {
  const GemmU8& call = tile.call;
  unroll<kNb>(MORU_BODY(auto b) {
    const __m256i bias = load(call.bias + tile.first + b * kLanes);
    unroll<kMr>(MORU_BODY(auto i) { sums[i][b] = bias; });
  });
  if (call.row_sums == nullptr) return;
  unroll<kNb>(MORU_BODY(auto b) {
    const __m256i w_zero = load(call.w_zero + tile.first + b * kLanes);
    unroll<kMr>(MORU_BODY(auto i) {
      sums[i][b] = _mm256_sub_epi32(sums[i][b], _mm256_mullo_epi32(w_zero, _mm256_set1_epi32(call.row_sums[tile.row + i])));
    });
  });
}

template <int kMr, int kNb>
[[gnu::always_inline]] inline void multiply(Rows& rows, const std::byte* w, std::ptrdiff_t steps, __m256i (&sums)[kMr][kNb]) {
  const std::int16_t* a[kMr];
  unroll<kMr>(MORU_BODY(auto i) { a[i] = rows.at(i); });
  for (std::ptrdiff_t step = 0; step < steps; ++step, w += kNb * kBlockBytes) {
    __m256i weights[kNb];
    unroll<kNb>(MORU_BODY(auto b) { weights[b] = _mm256_cvtepi8_epi16(load16(w + b * kBlockBytes)); });
    unroll<kMr>(MORU_BODY(auto i) {
      int words = 0;
      __builtin_memcpy(&words, a[i] + 2 * step, sizeof words);
      const __m256i pair = _mm256_set1_epi32(words);
      unroll<kNb>(MORU_BODY(auto b) { sums[i][b] = _mm256_add_epi32(sums[i][b], _mm256_madd_epi16(pair, weights[b])); });
    });
  }
}

/// To levels, and to c: 32 at a time, of two rows, or of four.
template <int kMr, int kNb>
[[gnu::always_inline]] inline void finish(const Tile& tile, const __m256i (&sums)[kMr][kNb]) {
  constexpr int kTogether = 4 / kNb;
  const GemmU8& call = tile.call;
  const Levels levels = tile.levels;
  const int left = call.n - tile.first;
  const int count = left < kNb * kLanes ? left : kNb * kLanes;
  const bool side_by_side = call.n == kNb * kLanes && call.c_stride == call.n;
  __m256 factor[kNb];
  unroll<kNb>(MORU_BODY(auto b) { factor[b] = _mm256_loadu_ps(call.to.factor + tile.first + b * kLanes); });
  unroll<(kMr + kTogether - 1) / kTogether>(MORU_BODY(auto group) {
    __m256i steps[4];
    unroll<4>(MORU_BODY(auto i) {
      constexpr int kAt = group * kTogether + i / kNb;
      if constexpr (kAt < kMr) {
        steps[i] = levels.steps(sums[kAt][i % kNb], factor[i % kNb]);
      } else {
        steps[i] = steps[0];
      }
    });
    const __m256i y = levels.pack_in_order(steps[0], steps[1], steps[2], steps[3]);
    std::uint8_t* c = call.c + (tile.row + group * kTogether) * call.c_stride + tile.first;
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

template <int kMr, int kNb>
void run_tile(const Tile& tile) {
  const GemmU8& call = tile.call;
  __m256i sums[kMr][kNb];
  start(tile, sums);
  if (call.k <= kChunk) {
    multiply(tile.rows, tile.weights, call.line_count * steps_of(call.k), sums);
  } else {
    for (int from = 0; from < call.k; from += kChunk) {
      const int count = call.k - from < kChunk ? call.k - from : kChunk;
      widen(call, tile.row, kMr, from, count, tile.rows);
      multiply(tile.rows, tile.weights + from / 2 * (kNb * kBlockBytes), steps_of(count), sums);
    }
  }
  finish(tile, sums);
}

using RunTile = void (*)(const Tile& tile);
constexpr RunTile kTiles[kPanelBlocks][kRows] = {
    {run_tile<1, 1>, run_tile<2, 1>, run_tile<3, 1>, run_tile<4, 1>, run_tile<5, 1>, run_tile<6, 1>},
    {run_tile<1, 2>, run_tile<2, 2>, run_tile<3, 2>, run_tile<4, 2>, run_tile<5, 2>, run_tile<6, 2>}};

/// One product.
void run_once(const GemmU8& call, Rows& words) {
  const Levels levels(call.to);
  const Panels panels = panels_of(call.n);
  for (int row = 0; row < call.m; row += kRows) {
    const int rows = call.m - row < kRows ? call.m - row : kRows;
    if (call.lines != nullptr) {
      widen_lines(call, row, rows, words);
    } else if (call.k <= kChunk) {
      widen(call, row, rows, 0, call.k, words);
    }
    const std::byte* weights = call.weights;
    for (int panel = 0; panel < panels.count(); ++panel) {
      const int blocks = panels.blocks_of(panel);
      kTiles[blocks - 1][rows - 1]({call, levels, weights, panels.first_block(panel) * kLanes, row, words});
      weights += blocks * call.line_count * steps_of(call.k) * kBlockBytes;
    }
  }
}

void run(const GemmU8& call) {
  Rows words(call);
  if (call.times == 1) return run_once(call, words);
  GemmU8 now = call;
  for (int i = 0; i < call.times; ++i) {
    run_once(now, words);
    if (now.lines != nullptr) now.lines += call.line_step;
    now.c += call.m * call.c_stride;
  }
}

}  // namespace

extern const GemmU8Kernel kGemmU8_avx2;
const GemmU8Kernel kGemmU8_avx2{Isa::kAvx2, packed_bytes, pack, run};

}  // namespace moru::kernels
