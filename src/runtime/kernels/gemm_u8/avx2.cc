// SPDX-License-Identifier: Apache-2.0
// The products of bytes that AVX2 has saturate, so levels and weights are made words first: the levels of some rows once for all panels,
// the weights when they are loaded. A step takes two words.
#include "runtime/kernels/avx2.h"

namespace moru::kernels {
namespace {

constexpr int kOfStep = 2;
constexpr int kBlockBytes = 16;

[[gnu::always_inline]] inline __m256i load_weights(const std::byte* at) { return _mm256_cvtepi8_epi16(load16(at)); }

[[gnu::always_inline]] inline void add_products(__m256i& sums, __m256i levels, __m256i weights) {
  sums = _mm256_add_epi32(sums, _mm256_madd_epi16(levels, weights));
}

/// Sums wait for an addition only, which takes a cycle.
constexpr int chains_for(int /*sums*/) { return 1; }

}  // namespace
}  // namespace moru::kernels

#include "runtime/kernels/gemm_u8/body_256.h"

namespace moru::kernels {
namespace {

/// Levels of a row that are words at a time, where not all can be; even.
constexpr int kPart = 2048;
/// Of all rows that are words together: half of a first cache, or a bit more.
constexpr int kWords = kRows * (kPart + 32);
/// Lines of odd lengths take a word more each, and the last sixteen may go over the end.
static_assert(kRows * (2 * kMostOfLines + 32) <= kWords);

/// Some rows of `a`, as words: as close to each other as can be, as a load that lies 4096 bytes behind a store waits for it.
struct Room {
  Source source(std::ptrdiff_t steps, int first) const { return {&line, 1, stride * 2, steps, first}; }

  std::ptrdiff_t stride = 0;  ///< words
  const std::uint8_t* line = reinterpret_cast<const std::uint8_t*>(words);
  alignas(kRegister) std::int16_t words[kWords];
};

/// Words that a row of so many levels takes.
constexpr std::ptrdiff_t stride_of(std::ptrdiff_t levels) { return (levels + 16 + kLanes - 1) / kLanes * kLanes; }

/// `count` levels; up to 15 more are read and written.
[[gnu::always_inline]] inline void widen(const std::uint8_t* a, int count, std::int16_t* words) {
  for (int k = 0; k < count; k += 16) _mm256_storeu_si256(reinterpret_cast<__m256i*>(words + k), _mm256_cvtepu8_epi16(load16(a + k)));
}

/// `count` levels of each row from column `from` on.
[[gnu::noinline]] void widen(const GemmU8& call, int row, int rows, int from, int count, Room& to) {
  for (int i = 0; i < rows; ++i) widen(call.a + (row + i) * call.a_stride + from, count, to.words + i * to.stride);
}

/// All lines of each row, one behind the other. What one writes too much is written over by the next.
[[gnu::noinline]] void widen_lines(const GemmU8& call, int row, int rows, Room& to) {
  for (int i = 0; i < rows; ++i) {
    for (int line = 0; line < call.line_count; ++line) {
      widen(call.lines[line] + (row + i) * call.a_stride, call.k, to.words + i * to.stride + line * kOfStep * steps_of(call.k));
    }
  }
}

Source next_part(const Panel& panel, int row, int rows, int part) {
  const GemmU8& call = panel.call;
  const int from = part * kPart;
  const int count = call.k - from < kPart ? call.k - from : kPart;
  widen(call, row, rows, from, count, *panel.room);
  return panel.room->source(steps_of(count), row);
}

/// One product. Rows are words by the dozen, or as many as there is room for.
void run_once(const GemmU8& call, Room& room) {
  const std::ptrdiff_t steps = call.line_count * steps_of(call.k);
  room.stride = stride_of(kOfStep * steps);
  const std::ptrdiff_t most = kWords / room.stride;
  if (most < 3 && most < call.m) {
    room.stride = stride_of(kPart);
    return run_rows({call, {}, (call.k + kPart - 1) / kPart, &room, call.weights}, 0, call.m);
  }
  const std::ptrdiff_t room_for = most < kRows ? most : most / kRows * kRows;
  const int together = room_for < rows_together(call) ? static_cast<int>(room_for) : rows_together(call);
  for (int row = 0; row < call.m; row += together) {
    const int rows = call.m - row < together ? call.m - row : together;
    if (call.lines != nullptr) {
      widen_lines(call, row, rows, room);
    } else {
      widen(call, row, rows, 0, call.k, room);
    }
    run_rows({call, room.source(steps, row), 1, &room, call.weights}, row, row + rows);
  }
}

void run(const GemmU8& call) {
  Room room;
  run_times(call, [&room](const GemmU8& now) { run_once(now, room); });
}

}  // namespace

extern const GemmU8Kernel kGemmU8_avx2;
const GemmU8Kernel kGemmU8_avx2{Isa::kAvx2, packed_bytes, pack, run};

}  // namespace moru::kernels
