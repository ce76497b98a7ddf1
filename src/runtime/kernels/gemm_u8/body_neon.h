// SPDX-License-Identifier: Apache-2.0
// The kernel over what neon.cc and neon_dot.cc define before they include this:
//   kDepth                     levels along k that a product takes
//   kOffset                    what is taken from each level before it is multiplied
//   Row, load_row(), kSteps    so many products' levels of a row of `a`, in a register
//   Weights, load_weights()    those of a product, for a block
//   add_products<kAt>()        product kAt of a Row
// A block is 8 outputs, whose sums stand in two registers. Weights: [panel]: where there is an offset, that times the sum of the weights of
// each output; then [line][ceil(k / kDepth)][blocks of the panel][8 outputs][kDepth]; zeros behind k.
#pragma once

#include "runtime/kernels/gemm_u8/gemm_u8.h"
#include "runtime/kernels/neon.h"
#include "runtime/kernels/tiles.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

constexpr int kBlock = 8;
constexpr int kLanes = 4;
constexpr int kPanelBlocks = 2;
constexpr std::ptrdiff_t kBlockBytes = kBlock * kDepth;
constexpr std::ptrdiff_t kOffsetBytes = kOffset != 0 ? kBlock * sizeof(std::int32_t) : 0;  ///< of a block

constexpr Panels panels_of(int n) { return {n, kBlock, kPanelBlocks}; }
constexpr std::ptrdiff_t steps_of(int k) { return (std::ptrdiff_t{k} + kDepth - 1) / kDepth; }

std::size_t packed_bytes(int n, int lines, int k) {
  return static_cast<std::size_t>(panels_of(n).blocks() * (kOffsetBytes + lines * steps_of(k) * kBlockBytes));
}

/// kOffset times the sum of the weights of outputs from `first` to `end`, of which there are n of `length` weights.
[[maybe_unused]] std::byte* pack_offsets(const std::int8_t* w, int n, std::ptrdiff_t length, int first, int end, std::byte* to) {
  for (int o = first; o < end; ++o, to += sizeof(std::int32_t)) {
    std::uint32_t sum = 0;  // wraps around, as the sums do that it is added to
    for (std::ptrdiff_t i = 0; o < n && i < length; ++i) sum += static_cast<std::uint32_t>(kOffset * w[o * length + i]);
    __builtin_memcpy(to, &sum, sizeof sum);
  }
  return to;
}

void pack(const std::int8_t* w, int n, int lines, int k, std::byte* packed) {
  const Panels panels = panels_of(n);
  for (int panel = 0; panel < panels.count(); ++panel) {
    const int first = panels.first_block(panel) * kBlock;
    const int end = panels.first_block(panel + 1) * kBlock;
    if constexpr (kOffset != 0) packed = pack_offsets(w, n, std::ptrdiff_t{lines} * k, first, end, packed);
    for (int line = 0; line < lines; ++line) {
      for (int at = 0; at < k; at += kDepth) {
        for (int o = first; o < end; ++o) {
          const std::int8_t* row = w + (std::ptrdiff_t{o} * lines + line) * k;
          for (int i = at; i < at + kDepth; ++i) *packed++ = o < n && i < k ? static_cast<std::byte>(row[i]) : std::byte{0};
        }
      }
    }
  }
}

/// What the tiles of one panel share.
struct Panel {
  const GemmU8& call;
  const std::byte* weights;
  int first;  ///< output
};

template <int kMr, int kNb>
struct Sums {
  int32x4_t at[kMr][2 * kNb];
};

/// What sums start with: the bias, the part of the offset, less the part of the weights' zero point.
template <int kMr, int kNb>
[[gnu::always_inline]] inline void start(const Panel& panel, int row, Sums<kMr, kNb>& sums) {
  const GemmU8& call = panel.call;
  unroll<2 * kNb>(MORU_BODY(auto half) {
    int32x4_t same = vld1q_s32(call.bias + panel.first + half * kLanes);
    if constexpr (kOffset != 0) same = vaddq_s32(same, vld1q_s32(reinterpret_cast<const std::int32_t*>(panel.weights) + half * kLanes));
    unroll<kMr>(MORU_BODY(auto i) { sums.at[i][half] = same; });
  });
  if (call.row_sums == nullptr) return;
  unroll<2 * kNb>(MORU_BODY(auto half) {
    const int32x4_t w_zero = vld1q_s32(call.w_zero + panel.first + half * kLanes);
    unroll<kMr>(MORU_BODY(auto i) { sums.at[i][half] = vmlsq_n_s32(sums.at[i][half], w_zero, call.row_sums[row + i]); });
  });
}

template <int kMr>
struct Rows {
  Row at[kMr];
};

template <int kMr>
[[gnu::always_inline]] inline Rows<kMr> load_rows(const std::uint8_t* a, std::ptrdiff_t stride) {
  Rows<kMr> rows;
  unroll<kMr>(MORU_BODY(auto i) { rows.at[i] = load_row(a + i * stride); });
  return rows;
}

template <int kAt, int kMr, int kNb>
[[gnu::always_inline]] inline const std::byte* multiply_step(const Rows<kMr>& rows, const std::byte* w, Sums<kMr, kNb>& sums) {
  Weights weights[kNb];
  unroll<kNb>(MORU_BODY(auto b) { weights[b] = load_weights(w + b * kBlockBytes); });
  unroll<kMr * kNb>(MORU_BODY(auto i) { add_products<kAt>(&sums.at[i / kNb][i % kNb * 2], rows.at[i / kNb], weights[i % kNb]); });
  return w + kNb * kBlockBytes;
}

/// sums += a * weights over all of k.
template <int kMr, int kNb>
[[gnu::always_inline]] inline void multiply(const Panel& panel, int row, Sums<kMr, kNb>& sums) {
  const GemmU8& call = panel.call;
  const std::byte* w = panel.weights + kNb * kOffsetBytes;
  for (int line = 0; line < call.line_count; ++line) {
    const std::uint8_t* a = (call.lines != nullptr ? call.lines[line] : call.a) + row * call.a_stride;
    std::ptrdiff_t steps = steps_of(call.k);
    for (; steps >= kSteps; steps -= kSteps, a += kSteps * kDepth) {
      const Rows<kMr> rows = load_rows<kMr>(a, call.a_stride);
      unroll<kSteps>(MORU_BODY(auto at) { w = multiply_step<at>(rows, w, sums); });
    }
    if (steps == 0) continue;
    const Rows<kMr> rows = load_rows<kMr>(a, call.a_stride);
    unroll<kSteps - 1>(MORU_BODY(auto at) {
      if (at < steps) w = multiply_step<at>(rows, w, sums);
    });
  }
}

template <int kMr, int kNb>
[[gnu::always_inline]] inline void finish(const Panel& panel, int row, const ToLevels& levels, const Sums<kMr, kNb>& sums) {
  const GemmU8& call = panel.call;
  const int left = call.n - panel.first;
  const int count = left < kNb * kBlock ? left : kNb * kBlock;
  float32x4_t factor[2 * kNb];
  unroll<2 * kNb>(MORU_BODY(auto half) { factor[half] = vld1q_f32(call.to.factor + panel.first + half * kLanes); });
  unroll<kMr>(MORU_BODY(auto i) {
    int32x4_t steps[2 * kNb];
    unroll<2 * kNb>(MORU_BODY(auto half) { steps[half] = levels.steps(sums.at[i][half], factor[half]); });
    store_first(call.c + (row + i) * call.c_stride + panel.first, levels.pack(steps[0], steps[1], steps[2 * kNb - 2], steps[2 * kNb - 1]),
                count);
  });
}

/// `tiles` tiles of kMr rows, from `row` on.
template <int kMr, int kNb>
void run_tiles(const Panel& panel, int row, int tiles) {
  const ToLevels levels(panel.call.to);
  for (; tiles > 0; --tiles, row += kMr) {
    Sums<kMr, kNb> sums;
    start(panel, row, sums);
    multiply(panel, row, sums);
    finish(panel, row, levels, sums);
  }
}

// A tile of the most rows has 16 registers of sums; those of its rows and weights fill most of the others.
constexpr TileOf<Panel> kTiles1[] = {{8, run_tiles<8, 1>}, {4, run_tiles<4, 1>}, {2, run_tiles<2, 1>}, {1, run_tiles<1, 1>}};
constexpr TileOf<Panel> kTiles2[] = {{4, run_tiles<4, 2>}, {2, run_tiles<2, 2>}, {1, run_tiles<1, 2>}};

void run_once(const GemmU8& call) {
  const std::byte* weights = call.weights;
  const Panels panels = panels_of(call.n);
  for (int at = 0; at < panels.count(); ++at) {
    const int blocks = panels.blocks_of(at);
    const Panel panel{call, weights, panels.first_block(at) * kBlock};
    if (blocks == 1) {
      split_rows(panel, call.m, kTiles1);
    } else {
      split_rows(panel, call.m, kTiles2);
    }
    weights += blocks * (kOffsetBytes + call.line_count * steps_of(call.k) * kBlockBytes);
  }
}

void run(const GemmU8& call) {
  GemmU8 once = call;
  for (int i = 0; i < call.times; ++i) {
    run_once(once);
    if (once.lines != nullptr) once.lines += call.line_step;
    once.c += call.m * call.c_stride;
  }
}

}  // namespace
}  // namespace moru::kernels
