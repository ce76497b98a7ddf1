// SPDX-License-Identifier: Apache-2.0
// The kernel over registers of Simd::kLanes floats, which each ISA's file defines before it includes this, and over Integers, which
// makes floats of as many integers.
// Weights: [block of kLanes outputs][k][kLanes], a byte each; of 4 bits [block][pair of k][kLanes], the first of the pair in the low bits.
#pragma once

#include "runtime/kernels/gemm_mixed/gemm_mixed.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

using Vector = Simd::Vector;
constexpr int kLanes = Simd::kLanes;
/// Blocks of outputs that a tile has, as far as there are.
constexpr int kBlocks = 4;

constexpr int blocks_of(int n) { return (n + kLanes - 1) / kLanes; }
constexpr std::ptrdiff_t block_bytes(int k, int bits) { return std::ptrdiff_t{kLanes} * (bits == 8 ? k : (k + 1) / 2); }

std::size_t packed_bytes(int n, int k, int bits) { return static_cast<std::size_t>(blocks_of(n) * block_bytes(k, bits)); }

void pack(const std::int8_t* w, int n, int k, int bits, std::byte* packed) {
  auto* to = reinterpret_cast<std::uint8_t*>(packed);
  const auto at = [&](int o, int i) { return o < n && i < k ? w[static_cast<std::ptrdiff_t>(o) * k + i] : std::int8_t{0}; };
  for (int first = 0; first < n; first += kLanes) {
    for (int i = 0; i < k; i += bits == 8 ? 1 : 2) {
      for (int o = first; o < first + kLanes; ++o) {
        const auto low = static_cast<std::uint8_t>(at(o, i));
        const auto high = static_cast<std::uint8_t>(at(o, i + 1));
        *to++ = static_cast<std::uint8_t>(bits == 8 ? low : (low & 15U) | (high & 15U) << 4U);
      }
    }
  }
}

/// Outputs of kNb blocks from `first` on.
struct Panel {
  const GemmMixed& call;
  const std::int8_t* weights;
  int first;
};

template <int kMr, int kNb>
struct Sums {
  Vector at[kMr][kNb];
  /// Of the elements of `a` themselves, in every lane: what a zero point is multiplied with in the end, instead of being taken from each
  /// weight.
  Vector of_a[kMr];
};

/// to += a[row.., k] * w of one k.
template <int kMr, int kNb>
[[gnu::always_inline]] inline void add_one(const Panel& panel, const float* a, const Vector (&levels)[kNb], Sums<kMr, kNb>& to) {
  unroll<kMr>(MORU_BODY(auto i) {
    const Vector x = Simd::all(a[i * panel.call.a_stride]);
    to.of_a[i] = Simd::add(to.of_a[i], x);
    unroll<kNb>(MORU_BODY(auto b) { to.at[i][b] = Simd::fma(x, levels[b], to.at[i][b]); });
  });
}

/// The sum of one block of k, without its scale and zero point: k in [begin, end).
template <int kMr, int kNb, int kBits>
[[gnu::always_inline]] inline void add_block(const Panel& panel, int row, int begin, int end, Sums<kMr, kNb>& to) {
  const std::ptrdiff_t step = block_bytes(panel.call.k, kBits);
  const float* a = panel.call.a + row * panel.call.a_stride + begin;
  const std::int8_t* w = panel.weights + std::ptrdiff_t{begin / (kBits == 8 ? 1 : 2)} * kLanes;
  Vector levels[kNb];
  if constexpr (kBits == 8) {
    for (int k = begin; k < end; ++k, ++a, w += kLanes) {
      unroll<kNb>(MORU_BODY(auto b) { levels[b] = Integers::bytes(w + b * step); });
      add_one<kMr, kNb>(panel, a, levels, to);
    }
  } else {
    int k = begin;
    for (; k + 1 < end; k += 2, a += 2, w += kLanes) {
      unroll<kNb>(MORU_BODY(auto b) { levels[b] = Integers::low_nibbles(w + b * step); });
      add_one<kMr, kNb>(panel, a, levels, to);
      unroll<kNb>(MORU_BODY(auto b) { levels[b] = Integers::high_nibbles(w + b * step); });
      add_one<kMr, kNb>(panel, a + 1, levels, to);
    }
    if (k < end) {
      unroll<kNb>(MORU_BODY(auto b) { levels[b] = Integers::low_nibbles(w + b * step); });
      add_one<kMr, kNb>(panel, a, levels, to);
    }
  }
}

template <int kMr, int kNb, int kBits>
void run_tile(const Panel& panel, int row) {
  const GemmMixed& call = panel.call;
  Sums<kMr, kNb> sums;
  unroll<kMr * kNb>(MORU_BODY(auto i) { sums.at[i / kNb][i % kNb] = Simd::load(call.bias + panel.first + (i % kNb) * kLanes); });
  std::ptrdiff_t at = panel.first;
  for (int begin = 0; begin < call.k; begin += call.block, at += padded(call.n)) {
    Sums<kMr, kNb> part;
    unroll<kMr * kNb>(MORU_BODY(auto i) { part.at[i / kNb][i % kNb] = Simd::all(0); });
    unroll<kMr>(MORU_BODY(auto i) { part.of_a[i] = Simd::all(0); });
    add_block<kMr, kNb, kBits>(panel, row, begin, call.k - begin < call.block ? call.k : begin + call.block, part);
    unroll<kNb>(MORU_BODY(auto b) {
      const Vector scale = Simd::load(call.scale + at + b * kLanes);
      const Vector below = Simd::sub(Simd::all(0), Simd::load(call.zero + at + b * kLanes));
      unroll<kMr>(MORU_BODY(auto i) { sums.at[i][b] = Simd::fma(Simd::fma(below, part.of_a[i], part.at[i][b]), scale, sums.at[i][b]); });
    });
  }
  const Vector low = Simd::all(call.low);
  const Vector high = Simd::all(call.high);
  unroll<kMr * kNb>(MORU_BODY(auto i) {
    const int first = panel.first + (i % kNb) * kLanes;
    const Simd::Mask there = Simd::first(call.n - first < kLanes ? call.n - first : kLanes);
    Vector sum = sums.at[i / kNb][i % kNb];
    if (call.residual != nullptr) sum = Simd::add(sum, Simd::load(call.residual + (row + i / kNb) * call.residual_stride + first, there));
    Simd::store(call.c + (row + i / kNb) * call.c_stride + first, Simd::min(Simd::max(sum, low), high), there);
  });
}

template <int kNb, int kBits>
void run_panel(const Panel& panel) {
  int row = 0;
  for (; row + 4 <= panel.call.m; row += 4) run_tile<4, kNb, kBits>(panel, row);
  for (; row + 2 <= panel.call.m; row += 2) run_tile<2, kNb, kBits>(panel, row);
  for (; row < panel.call.m; ++row) run_tile<1, kNb, kBits>(panel, row);
}

template <int kBits>
void run_bits(const GemmMixed& call) {
  const auto* weights = reinterpret_cast<const std::int8_t*>(call.weights);
  const std::ptrdiff_t step = block_bytes(call.k, kBits);
  const int blocks = blocks_of(call.n);
  int block = 0;
  for (; block + kBlocks <= blocks; block += kBlocks) run_panel<kBlocks, kBits>({call, weights + block * step, block * kLanes});
  for (; block < blocks; ++block) run_panel<1, kBits>({call, weights + block * step, block * kLanes});
}

void run(const GemmMixed& call) {
  if (call.bits == 8) {
    run_bits<8>(call);
  } else {
    run_bits<4>(call);
  }
}

}  // namespace
}  // namespace moru::kernels
