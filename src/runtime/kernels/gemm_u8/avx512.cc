// SPDX-License-Identifier: Apache-2.0
// A step takes four bytes along k: a quad of `a` in all lanes, times the quads of the weights of 16 outputs. With 8 outputs or fewer, two
// lanes share one output and a step takes eight bytes.
// Weights: [panel][line][ceil(k / 4)][blocks of the panel][16 lanes][4], or [line][ceil(k / 8)][8 outputs][8] for 8 outputs or fewer; zeros
// behind k.
#include "runtime/kernels/avx512.h"

#include "runtime/kernels/gemm_u8/gemm_u8.h"
#include "runtime/kernels/tiles.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

constexpr int kPanelBlocks = 4;
constexpr int kNarrow = 8;
constexpr Panels panels_of(int n) { return {n, kLanes, kPanelBlocks}; }
constexpr std::size_t steps_of(int k, int bytes) {
  return (static_cast<std::size_t>(k) + static_cast<std::size_t>(bytes) - 1) / static_cast<std::size_t>(bytes);
}

std::size_t packed_bytes(int n, int lines, int k) {
  const std::size_t line = n <= kNarrow ? steps_of(k, 8) : static_cast<std::size_t>(panels_of(n).blocks()) * steps_of(k, 4);
  return static_cast<std::size_t>(lines) * line * kRegister;
}

/// w [n, lines, k].
struct Weights {
  const std::int8_t* w;
  int n;
  int lines;
  int k;
  std::byte at(int o, int line, int i) const {
    return o < n && i < k ? static_cast<std::byte>(w[(std::ptrdiff_t{o} * lines + line) * k + i]) : std::byte{0};
  }
};

/// `outputs` rows of w from `first` on, `bytes` along k at a time; what is not there is zero.
std::byte* pack_panel(const Weights& w, int first, int outputs, int bytes, std::byte* to) {
  for (int line = 0; line < w.lines; ++line) {
    for (int at = 0; at < w.k; at += bytes) {
      for (int o = first; o < first + outputs; ++o) {
        for (int i = at; i < at + bytes; ++i) *to++ = w.at(o, line, i);
      }
    }
  }
  return to;
}

void pack(const std::int8_t* rows, int n, int lines, int k, std::byte* packed) {
  const Weights w{rows, n, lines, k};
  if (n <= kNarrow) {
    pack_panel(w, 0, kNarrow, 8, packed);
    return;
  }
  const Panels panels = panels_of(n);
  for (int panel = 0; panel < panels.count(); ++panel) {
    packed = pack_panel(w, panels.first_block(panel) * kLanes, panels.blocks_of(panel) * kLanes, 4, packed);
  }
}

/// What the tiles of one panel share.
struct Panel {
  const GemmU8& call;
  const std::byte* weights;
  int first;                         ///< output
  const std::uint8_t* const* lines;  ///< of the product that is made now
  std::uint8_t* c;                   ///< and where it goes
};

/// So many sums must be under way to hide that each takes some cycles: further ones along k make up for a small tile.
constexpr int chains_for(int sums) { return sums >= 8 ? 1 : sums >= 4 ? 2 : sums >= 2 ? 4 : 8; }

/// Sums of a tile. In each lane an output, or half of it.
template <int kMr, int kNb>
struct Sums {
  __m512i at[kMr][kNb];
};

/// What sums start with: for all rows alike, or a row for itself.
struct Start {
  const std::int32_t* sums;
  int row_stride;
};

/// The bias, less the part of the weights' zero point. `room` is for that; in halves, each output has two lanes of it, the second being
/// zero.
[[gnu::noinline]] Start start_of(const Panel& panel, int row, int rows, int blocks, bool halves, std::int32_t* room) {
  const GemmU8& call = panel.call;
  const std::int32_t* bias = call.bias + panel.first;
  if (call.row_sums == nullptr && !halves) return {bias, 0};
  const auto entries = [halves](const std::int32_t* from) { return halves ? _mm512_maskz_expand_epi32(0x5555, load(from)) : load(from); };
  for (int block = 0; block < blocks; ++block) {
    const __m512i start = entries(bias + block * kLanes);
    std::int32_t* to = room + block * kLanes;
    if (call.row_sums == nullptr) {
      _mm512_store_si512(to, start);
      continue;
    }
    const __m512i w_zero = entries(call.w_zero + panel.first + block * kLanes);
    for (int i = 0; i < rows; ++i, to += blocks * kLanes) {
      _mm512_store_si512(to, _mm512_sub_epi32(start, _mm512_mullo_epi32(w_zero, _mm512_set1_epi32(call.row_sums[row + i]))));
    }
  }
  return {room, call.row_sums == nullptr ? 0 : blocks * kLanes};
}

/// sums += a * weights over all of k. Each of kChains has sums of its own until the end.
template <int kMr, int kNb, int kStep>
[[gnu::always_inline]] inline void multiply(const Panel& panel, int row, Sums<kMr, kNb>& sums) {
  const GemmU8& call = panel.call;
  const std::byte* w = panel.weights;
  constexpr int kChains = chains_for(kMr * kNb);
  Sums<kMr, kNb> chains[kChains];
  chains[0] = sums;
  unroll<kChains - 1>(
      MORU_BODY(auto chain) { unroll<kMr * kNb>(MORU_BODY(auto i) { chains[chain + 1].at[i / kNb][i % kNb] = _mm512_setzero_si512(); }); });
  const std::uint8_t* a[(kMr + 3) / 4];  // every fourth row: the others are reached by the stride
  const std::ptrdiff_t stride = call.a_stride;
  const auto step = MORU_BODY(Sums<kMr, kNb> & to) {
    __m512i weights[kNb];
    unroll<kNb>(MORU_BODY(auto b) { weights[b] = load(w + b * kRegister); });
    unroll<kMr>(MORU_BODY(auto i) {
      const std::uint8_t* at = a[i / 4] + (i % 4) * stride;
      const __m512i quad = kStep == 4 ? broadcast32(at) : broadcast64(at);
      unroll<kNb>(MORU_BODY(auto b) { add_products(to.at[i][b], quad, weights[b]); });
    });
    w += kNb * kRegister;
    unroll<(kMr + 3) / 4>(MORU_BODY(auto i) { a[i] += kStep; });
  };
  for (int line = 0; line < call.line_count; ++line) {
    const std::uint8_t* from = panel.lines != nullptr ? panel.lines[line] : call.a;
    unroll<(kMr + 3) / 4>(MORU_BODY(auto i) { a[i] = from + (row + 4 * i) * stride; });
    std::size_t steps = steps_of(call.k, kStep);
    for (; steps >= kChains; steps -= kChains) {
      unroll<kChains>(MORU_BODY(auto chain) { step(chains[chain]); });
    }
    for (; kChains > 1 && steps > 0; --steps) step(chains[0]);
  }
  unroll<kMr * kNb>(MORU_BODY(auto i) {
    __m512i& sum = chains[0].at[i / kNb][i % kNb];
    unroll<kChains - 1>(MORU_BODY(auto chain) { sum = _mm512_add_epi32(sum, chains[chain + 1].at[i / kNb][i % kNb]); });
  });
  sums = chains[0];
}

/// To levels, and to c: 64 at a time, of one row, of two, or of four.
template <int kMr, int kNb>
[[gnu::always_inline]] inline void finish(const Panel& panel, int row, const Levels& levels, const Sums<kMr, kNb>& sums) {
  constexpr int kTogether = kNb > 2 ? 1 : 4 / kNb;
  const GemmU8& call = panel.call;
  const __mmask64 mask = first_bytes(call.n - panel.first);
  const bool side_by_side = call.n == kNb * kLanes && call.c_stride == call.n;
  __m512 factor[kNb];
  unroll<kNb>(MORU_BODY(auto b) { factor[b] = _mm512_loadu_ps(call.to.factor + panel.first + b * kLanes); });
  unroll<(kMr + kTogether - 1) / kTogether>(MORU_BODY(auto group) {
    __m512i steps[4];
    unroll<4>(MORU_BODY(auto i) {
      constexpr int kAt = i / (4 / kTogether) + group * kTogether;
      constexpr int kBlock = i % (4 / kTogether);
      if constexpr (kAt < kMr && kBlock < kNb) {
        steps[i] = levels.steps(sums.at[kAt][kBlock], factor[kBlock]);
      } else {
        steps[i] = steps[0];
      }
    });
    const __m512i y = transpose_dwords(levels.pack(steps[0], steps[1], steps[2], steps[3]));
    std::uint8_t* c = panel.c + (row + group * kTogether) * call.c_stride + panel.first;
    if constexpr (kTogether > 1 && group * kTogether + kTogether <= kMr) {
      if (side_by_side) {
        _mm512_storeu_si512(c, y);
        return;
      }
    }
    unroll<kTogether>(MORU_BODY(auto i) {
      if constexpr (group * kTogether + i < kMr) store_part<kTogether, i>(c + i * call.c_stride, mask, y);
    });
  });
}

/// `tiles` tiles of kMr rows, from `row` on.
template <int kMr, int kNb>
void run_tiles(const Panel& panel, int row, int tiles) {
  const Levels levels(panel.call.to);
  alignas(kRegister) std::int32_t room[kMr * kNb * kLanes];
  Start start = start_of(panel, row, kMr, kNb, false, room);
  for (; tiles > 0; --tiles, row += kMr) {
    Sums<kMr, kNb> sums;
    if (start.row_stride > 0) start = start_of(panel, row, kMr, kNb, false, room);
    unroll<kMr * kNb>(
        MORU_BODY(auto i) { sums.at[i / kNb][i % kNb] = load(start.sums + (i / kNb) * start.row_stride + (i % kNb) * kLanes); });
    multiply<kMr, kNb, 4>(panel, row, sums);
    finish(panel, row, levels, sums);
  }
}

/// Rows of up to 8 levels, 8 of them in y.
[[gnu::noinline]] void store_narrow(const Panel& panel, int row, int rows, __m512i y) {
  const GemmU8& call = panel.call;
  std::uint8_t* c = panel.c + row * call.c_stride;
  if (rows == 8 && call.n == kNarrow && call.c_stride == kNarrow) {
    _mm512_storeu_si512(c, y);
    return;
  }
  const auto mask = static_cast<__mmask16>(first_bytes(call.n));
  alignas(kRegister) std::uint8_t all[kRegister];
  _mm512_store_si512(all, y);
  for (int i = 0; i < rows; ++i, c += call.c_stride) {
    const __m128i row_levels = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(all + kNarrow * i));
    if (call.n == kNarrow) {
      _mm_storel_epi64(reinterpret_cast<__m128i*>(c), row_levels);
    } else {
      _mm_mask_storeu_epi8(c, mask, row_levels);
    }
  }
}

/// Lanes 2 * o and 2 * o + 1 hold the two halves of output o. Their sums, of two rows: in every four lanes two outputs of the one, then
/// of the other.
[[gnu::always_inline]] inline __m512i join_halves(__m512i one, __m512i other) {
  const __m512 x = _mm512_castsi512_ps(one);
  const __m512 y = _mm512_castsi512_ps(other);
  return _mm512_add_epi32(_mm512_castps_si512(_mm512_shuffle_ps(x, y, 0x88)), _mm512_castps_si512(_mm512_shuffle_ps(x, y, 0xDD)));
}

template <int kMr>
void run_narrow(const Panel& panel, int row, int tiles) {
  const GemmU8& call = panel.call;
  const Levels levels(call.to);
  const __m512i pairs = _mm512_setr_epi32(0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7);
  const __m512 factor = _mm512_permutexvar_ps(pairs, _mm512_loadu_ps(call.to.factor));
  alignas(kRegister) std::int32_t room[kMr * kLanes];
  Start start = start_of(panel, row, kMr, 1, true, room);
  for (; tiles > 0; --tiles, row += kMr) {
    Sums<kMr, 1> sums;
    if (start.row_stride > 0) start = start_of(panel, row, kMr, 1, true, room);
    unroll<kMr>(MORU_BODY(auto i) { sums.at[i][0] = load(start.sums + i * start.row_stride); });
    multiply<kMr, 1, 8>(panel, row, sums);
    unroll<(kMr + 7) / 8>(MORU_BODY(auto group) {
      __m512i steps[4];
      unroll<4>(MORU_BODY(auto i) {
        constexpr int kOne = group * 8 + i * 2;
        if constexpr (kOne < kMr) {
          steps[i] = levels.steps(join_halves(sums.at[kOne][0], sums.at[kOne + 1 < kMr ? kOne + 1 : kOne][0]), factor);
        } else {
          steps[i] = steps[0];
        }
      });
      store_narrow(panel, row + group * 8, kMr - group * 8 < 8 ? kMr - group * 8 : 8,
                   transpose_words(levels.pack(steps[0], steps[1], steps[2], steps[3])));
    });
  }
}

/// The products one after the other.
template <int kCount>
void split_times(Panel panel, const TileOf<Panel> (&tiles)[kCount]) {
  const GemmU8& call = panel.call;
  for (int i = 0; i < call.times; ++i) {
    split_rows(panel, call.m, tiles);
    if (panel.lines != nullptr) panel.lines += call.line_step;
    panel.c += call.m * call.c_stride;
  }
}

/// kMr: the rows that tiles have. A tile of the first fills the 32 registers with its sums, its weights and a quad of `a`.
template <int kNb, int... kMr>
void run_panel(const Panel& panel) {
  static constexpr TileOf<Panel> kTiles[] = {{kMr, run_tiles<kMr, kNb>}...};
  split_times(panel, kTiles);
}

/// One row only, as in a fully connected layer: nothing is worth preparing.
template <int kNb>
void run_row(const Panel& panel) {
  const GemmU8& call = panel.call;
  const Levels levels(call.to);
  Sums<1, kNb> sums;
  unroll<kNb>(MORU_BODY(auto b) { sums.at[0][b] = load(call.bias + panel.first + b * kLanes); });
  if (call.row_sums != nullptr) {
    const __m512i row_sum = _mm512_set1_epi32(*call.row_sums);
    unroll<kNb>(MORU_BODY(auto b) {
      sums.at[0][b] = _mm512_sub_epi32(sums.at[0][b], _mm512_mullo_epi32(load(call.w_zero + panel.first + b * kLanes), row_sum));
    });
  }
  multiply<1, kNb, 4>(panel, 0, sums);
  finish(panel, 0, levels, sums);
}

using RunPanel = void (*)(const Panel& panel);
constexpr RunPanel kRow[kPanelBlocks] = {run_row<1>, run_row<2>, run_row<3>, run_row<4>};
constexpr RunPanel kPanels[kPanelBlocks] = {run_panel<1, 16, 12, 8, 4, 2, 1>, run_panel<2, 12, 9, 6, 4, 2, 1>,
                                            run_panel<3, 8, 6, 4, 3, 2, 1>, run_panel<4, 6, 5, 4, 3, 2, 1>};
constexpr TileOf<Panel> kNarrowTiles[] = {
    {16, run_narrow<16>}, {8, run_narrow<8>}, {4, run_narrow<4>}, {2, run_narrow<2>}, {1, run_narrow<1>}};

void run(const GemmU8& call) {
  Panel panel{call, call.weights, 0, call.lines, call.c};
  if (call.n <= kNarrow) {
    split_times(panel, kNarrowTiles);
    _mm256_zeroupper();  // GCC forgets it in functions that call others while they hold registers, and SSE behind it would wait for long
    return;
  }
  const Panels panels = panels_of(call.n);
  const RunPanel* run_panels = call.m == 1 && call.times == 1 ? kRow : kPanels;
  for (int i = 0; i < panels.count(); ++i) {
    const int blocks = panels.blocks_of(i);
    run_panels[blocks - 1](panel);
    panel.first += blocks * kLanes;
    panel.weights += static_cast<std::size_t>(blocks) * static_cast<std::size_t>(call.line_count) * steps_of(call.k, 4) * kRegister;
  }
}

}  // namespace

extern const GemmU8Kernel kGemmU8_avx512;
const GemmU8Kernel kGemmU8_avx512{Isa::kAvx512, packed_bytes, pack, run};

}  // namespace moru::kernels
