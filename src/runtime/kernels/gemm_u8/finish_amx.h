// SPDX-License-Identifier: Apache-2.0
// How AVX-512 makes levels of the sums that came from tiles, and when it does all of a product: processors with tiles have it.
#pragma once

#include "runtime/kernels/avx512.h"
#include "runtime/kernels/gemm_u8/body_amx.h"

namespace moru::kernels {

extern const GemmU8Kernel kGemmU8_avx512;

namespace {

/// `rows` rows of up to 32 sums, from row `row` and output `first` on, of which `count` are there. Two rows at a time.
void finish_rows(const GemmU8& call, const std::int32_t* sums, int row, int rows, int first, int count) {
  const Levels levels(call.to);
  const auto mask = static_cast<__mmask32>(first_bytes(count));
  const __m512i bias[2] = {load(call.bias + first), load(call.bias + first + (count > kLanes ? kLanes : 0))};
  const __m512 factor[2] = {_mm512_loadu_ps(call.to.factor + first),
                            _mm512_loadu_ps(call.to.factor + first + (count > kLanes ? kLanes : 0))};
  for (int i = 0; i < rows; i += 2) {
    const int rows_now[2] = {i, i + 1 < rows ? i + 1 : i};
    __m512i steps[4];
    for (int j = 0; j < 4; ++j) {
      const int at = rows_now[j / 2];
      const int block = j % 2;
      __m512i sum = _mm512_add_epi32(_mm512_loadu_si512(sums + at * kStride + block * kLanes), bias[block]);
      if (call.row_sums != nullptr) {
        const __m512i w_zero = load(call.w_zero + first + (block == 1 && count > kLanes ? kLanes : 0));
        sum = _mm512_sub_epi32(sum, _mm512_mullo_epi32(w_zero, _mm512_set1_epi32(call.row_sums[row + at])));
      }
      steps[j] = levels.steps(sum, factor[block]);
    }
    const __m512i y = transpose_dwords(levels.pack(steps[0], steps[1], steps[2], steps[3]));
    std::uint8_t* c = call.c + (row + i) * call.c_stride + first;
    store_part<2, 0>(c, mask, y);
    if (i + 1 < rows) store_part<2, 1>(c + call.c_stride, mask, y);
  }
}

/// The same without tiles: the order of the weights is one that AVX-512 knows.
void run_by_avx512(const GemmU8& call) {
  GemmU8 now = call;
  now.k = Depth(call.line_count * call.k).padded();
  now.line_count = now.times = 1;
  now.lines = nullptr;
  if (call.lines == nullptr) return kGemmU8_avx512.run(now);
  Joined joined;
  now.a = joined.at[0];
  now.a_stride = Joined::kRowBytes;
  constexpr int kRows = 2 * kTileRows;
  const int m = call.m * call.times;
  for (int row = 0; row < m; row += kRows) {
    now.m = m - row < kRows ? m - row : kRows;
    join(call, row, now.m, joined.at);
    now.c = call.c + row * call.c_stride;
    if (call.row_sums != nullptr) now.row_sums = call.row_sums + row;
    kGemmU8_avx512.run(now);
  }
}

/// With so few outputs AVX-512 puts two halves of an output side by side, and packs weights for that.
constexpr int kNarrow = 8;

/// To configure tiles, and to store and read again what they have, takes about as long as AVX-512 takes for this; and a tile of few rows
/// takes nearly as long as a full one. An estimate: no such processor was at hand to measure it.
bool is_worth_tiles(const GemmU8& call) {
  constexpr double kLeastProducts = 32768;
  constexpr int kLeastRows = 4;
  const int m = call.m * call.times;
  return m >= kLeastRows && double{1} * m * call.n * call.line_count * call.k >= kLeastProducts;
}

std::size_t packed_bytes(int n, int lines, int k) {
  return n <= kNarrow ? kGemmU8_avx512.packed_bytes(n, lines, k) : tile_packed_bytes(n, lines, k);
}

void pack(const std::int8_t* w, int n, int lines, int k, std::byte* packed) {
  if (n <= kNarrow) return kGemmU8_avx512.pack(w, n, lines, k, packed);
  tile_pack(w, n, lines * k, packed);
}

template <class Machine>
void run(const GemmU8& call) {
  if (call.n <= kNarrow) return kGemmU8_avx512.run(call);
  if (!is_worth_tiles(call)) return run_by_avx512(call);
  Machine machine;
  run_in_tiles(machine, call);
}

}  // namespace
}  // namespace moru::kernels
