// SPDX-License-Identifier: Apache-2.0
// The kernel over registers of Simd::kLanes floats, which each ISA's file defines before it includes this. A register holds a block of
// channels of one column; where the channels divide the lanes and columns follow one another, several columns. Registers of outputs that
// lie inside the image with all their taps are made some at a time, so that a weight is loaded once for all of them, or, of a kernel of
// 3 x 3, once a row; the others one by one, of the taps that are inside.
#pragma once

#include "runtime/kernels/depthwise_f32/depthwise_f32.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

using Vector = Simd::Vector;
constexpr int kLanes = Simd::kLanes;

/// Where the registers along a row of outputs and their taps lie, in floats. The same for all rows.
struct Walk {
  explicit Walk(const DepthwiseF32& call)
      : shared(call.channels < kLanes && kLanes % call.channels == 0 && call.stride_w == 1),
        width(std::ptrdiff_t{call.in_width} * call.channels),
        out_width(std::ptrdiff_t{call.out_width} * call.channels),
        before(std::ptrdiff_t{call.pad_left} * call.channels),
        pitch(shared ? kLanes : std::ptrdiff_t{call.stride_w} * call.channels),
        out_pitch(shared ? kLanes : call.channels),
        next(std::ptrdiff_t{call.dilation_w} * call.channels),
        next_row(call.dilation_h * width),
        next_weight((call.channels + kPadding - 1) / kPadding * kPadding),
        blocks(shared ? 1 : (call.channels + kLanes - 1) / kLanes),
        count(static_cast<int>((out_width + out_pitch - 1) / out_pitch)) {
    const std::ptrdiff_t taken = (call.kernel_w - 1) * next + (shared ? kLanes : call.channels);
    const std::ptrdiff_t room = width + before - taken;
    const int whole = static_cast<int>(out_width / out_pitch);
    const int fits = room < 0 ? 0 : static_cast<int>(room / pitch) + 1;
    inner_end = fits < whole ? fits : whole;
    const int first = static_cast<int>((before + pitch - 1) / pitch);
    inner = first < inner_end ? first : inner_end;
  }

  bool shared;               ///< a register holds several columns
  std::ptrdiff_t width;      ///< of a row of the input
  std::ptrdiff_t out_width;  ///< of a row of the output
  std::ptrdiff_t before;     ///< padding on the left
  std::ptrdiff_t pitch;      ///< from the first tap of a register of outputs to that of the next
  std::ptrdiff_t out_pitch;  ///< from a register of outputs to the next
  std::ptrdiff_t next;       ///< from a tap to the next
  std::ptrdiff_t next_row;
  std::ptrdiff_t next_weight;
  int blocks;
  int count;      ///< registers of a row of outputs, of one block
  int inner;      ///< the first that reads nothing of the padding
  int inner_end;  ///< behind the last
};

/// A block of a row of outputs.
struct Line {
  const DepthwiseF32& call;
  const Walk& walk;
  const float* in;  ///< row 0 of `rows`
  const float* w;   ///< of row 0, and of the block
  const float* bias;
  float* out;
  int first;  ///< channel
  int rows;   ///< of the kernel: those that lie inside
  int lanes;  ///< that hold an output
};

/// How sums become outputs. What a loop needs of it lies in registers: a store of floats might change any float in memory.
struct Finish {
  explicit Finish(const Line& line)
      : low(Simd::all(line.call.low)),
        high(Simd::all(line.call.high)),
        mask(Simd::first(line.lanes)),
        full(line.lanes >= kLanes),
        out(line.out),
        pitch(line.walk.out_pitch) {}

  /// Registers [at, at + kColumns).
  template <int kColumns>
  [[gnu::always_inline]] inline void operator()(int at, const Vector (&sums)[kColumns]) const {
    float* to = out + at * pitch;
    if (full) {
      unroll<kColumns>(MORU_BODY(auto i) { Simd::store(to + i * pitch, Simd::min(Simd::max(sums[i], low), high)); });
    } else {
      unroll<kColumns>(MORU_BODY(auto i) { Simd::store(to + i * pitch, Simd::min(Simd::max(sums[i], low), high), mask); });
    }
  }

  Vector low;
  Vector high;
  Simd::Mask mask;
  bool full;
  float* out;
  std::ptrdiff_t pitch;
};

/// `tiles` times kColumns registers from `at` on, none of which reads padding. A kernel of any size.
template <int kColumns>
void run_any(const Line& line, int at, int tiles) {
  const Finish finish(line);
  const Vector bias = Simd::load(line.bias);
  const std::ptrdiff_t pitch = line.walk.pitch;
  const std::ptrdiff_t next = line.walk.next;
  const std::ptrdiff_t next_row = line.walk.next_row;
  const std::ptrdiff_t next_weight = line.walk.next_weight;
  const float* from = line.in + at * pitch - line.walk.before + line.first;
  const float* const weights = line.w;
  const int rows = line.rows;
  const int kernel_w = line.call.kernel_w;
  for (; tiles > 0; --tiles, at += kColumns, from += kColumns * pitch) {
    Vector sums[kColumns];
    unroll<kColumns>(MORU_BODY(auto i) { sums[i] = bias; });
    const float* in = from;
    const float* w = weights;
    for (int i = 0; i < rows; ++i, in += next_row) {
      const float* tap = in;
      for (int j = 0; j < kernel_w; ++j, tap += next, w += next_weight) {
        const Vector weight = Simd::load(w);
        unroll<kColumns>(MORU_BODY(auto c) { sums[c] = Simd::fma(Simd::load(tap + c * pitch), weight, sums[c]); });
      }
    }
    finish(at, sums);
  }
}

/// The same of a kernel of 3 x 3, all of whose rows are inside.
template <int kColumns>
void run_nine(const Line& line, int at, int tiles) {
  const Finish finish(line);
  const Vector bias = Simd::load(line.bias);
  const std::ptrdiff_t pitch = line.walk.pitch;
  const std::ptrdiff_t next = line.walk.next;
  const std::ptrdiff_t next_row = line.walk.next_row;
  Vector weights[9];
  unroll<9>(MORU_BODY(auto i) { weights[i] = Simd::load(line.w + i * line.walk.next_weight); });
  const float* in = line.in + at * pitch - line.walk.before + line.first;
  for (; tiles > 0; --tiles, at += kColumns, in += kColumns * pitch) {
    Vector sums[kColumns];
    unroll<kColumns>(MORU_BODY(auto i) { sums[i] = bias; });
    unroll<9>(MORU_BODY(auto tap) {
      const float* from = in + (tap / 3) * next_row + (tap % 3) * next;
      unroll<kColumns>(MORU_BODY(auto i) { sums[i] = Simd::fma(Simd::load(from + i * pitch), weights[tap], sums[i]); });
    });
    finish(at, sums);
  }
}

/// Register `at`, which has the taps of a column all inside or all outside of the row.
void run_border(const Line& line, int at) {
  const Walk& walk = line.walk;
  const std::ptrdiff_t step = line.call.kernel_w * walk.next_weight;
  Vector sums[1] = {Simd::load(line.bias)};
  std::ptrdiff_t column = at * walk.pitch - walk.before;
  for (int j = 0; j < line.call.kernel_w; ++j, column += walk.next) {
    if (column < 0 || column >= walk.width) continue;
    const float* tap = line.in + column + line.first;
    const float* w = line.w + j * walk.next_weight;
    for (int i = 0; i < line.rows; ++i, tap += walk.next_row, w += step) sums[0] = Simd::fma(Simd::load(tap), Simd::load(w), sums[0]);
  }
  Finish finish(line);
  finish(at, sums);
}

/// The same where a register holds several columns.
void run_shared_border(const Line& line, int at) {
  const Walk& walk = line.walk;
  const std::ptrdiff_t step = line.call.kernel_w * walk.next_weight;
  Vector sums[1] = {Simd::load(line.bias)};
  std::ptrdiff_t from = at * walk.pitch - walk.before;
  for (int j = 0; j < line.call.kernel_w; ++j, from += walk.next) {
    const std::ptrdiff_t left = walk.width - from;
    if (from + kLanes <= 0 || left <= 0) continue;
    const Simd::Mask inside = Simd::between(from < 0 ? static_cast<int>(-from) : 0, left < kLanes ? static_cast<int>(left) : kLanes);
    const float* tap = line.in + from;
    const float* w = line.w + j * walk.next_weight;
    for (int i = 0; i < line.rows; ++i, tap += walk.next_row, w += step) {
      sums[0] = Simd::fma(Simd::load(tap, inside), Simd::load(w), sums[0]);
    }
  }
  Finish finish(line);
  const std::ptrdiff_t left = walk.out_width - at * walk.out_pitch;
  finish.full = left >= kLanes;
  finish.mask = Simd::first(left < kLanes ? static_cast<int>(left) : kLanes);
  finish(at, sums);
}

using RunTiles = void (*)(const Line& line, int at, int tiles);

template <int... kAt>
RunTiles tiles_of(bool nine, int columns, std::integer_sequence<int, kAt...> /*columns*/) {
  static constexpr RunTiles kAny[] = {run_any<kAt + 1>...};
  static constexpr RunTiles kNine[] = {run_nine<kAt + 1>...};
  return (nine ? kNine : kAny)[columns - 1];
}

/// The inner registers of a row as tiles of two sizes, one next to the other.
struct Tiles {
  Tiles(const DepthwiseF32& call, const Walk& walk) {
    const int inner = walk.inner_end - walk.inner;
    if (inner == 0) return;
    const int tiles = (inner + Simd::kColumns - 1) / Simd::kColumns;
    const int columns = inner / tiles;
    large = inner % tiles;
    small = tiles - large;
    size = columns;
    const bool nine = call.kernel_h == 3 && call.kernel_w == 3;
    constexpr auto kAll = std::make_integer_sequence<int, Simd::kColumns>{};
    run[0][0] = tiles_of(false, columns, kAll);
    run[0][1] = tiles_of(nine, columns, kAll);
    if (large == 0) return;
    run[1][0] = tiles_of(false, columns + 1, kAll);
    run[1][1] = tiles_of(nine, columns + 1, kAll);
  }

  int small = 0;  ///< tiles of `size` registers
  int large = 0;  ///< and of one more
  int size = 0;
  RunTiles run[2][2] = {};  ///< [large][all rows of the kernel are inside]
};

void run_line(const Line& line, const Tiles& tiles) {
  const Walk& walk = line.walk;
  const auto border = walk.shared ? run_shared_border : run_border;
  for (int at = 0; at < walk.inner; ++at) border(line, at);
  const int all = line.rows == line.call.kernel_h ? 1 : 0;
  if (tiles.large > 0) tiles.run[1][all](line, walk.inner, tiles.large);
  if (tiles.small > 0) tiles.run[0][all](line, walk.inner + tiles.large * (tiles.size + 1), tiles.small);
  for (int at = walk.inner_end; at < walk.count; ++at) border(line, at);
}

/// Steps of `step` from a number below 0 until it is not.
constexpr int steps_to_zero(int from, int step) { return from < 0 ? (step - 1 - from) / step : 0; }

void run(const DepthwiseF32& call) {
  const Walk walk(call);
  const Tiles tiles(call, walk);
  for (int y = 0; y < call.out_height; ++y) {
    const int top = y * call.stride_h - call.pad_top;
    const int skipped = steps_to_zero(top, call.dilation_h);
    const int end = call.in_height > top ? (call.in_height - top + call.dilation_h - 1) / call.dilation_h : 0;
    const int last = end < call.kernel_h ? end : call.kernel_h;
    const int rows = last > skipped ? last - skipped : 0;
    const float* in = call.in + (rows > 0 ? top + skipped * call.dilation_h : 0) * walk.width;
    for (int block = 0; block < walk.blocks; ++block) {
      const int first = block * kLanes;
      run_line({call, walk, in, call.weights + skipped * call.kernel_w * walk.next_weight + first, call.bias + first,
                call.out + y * walk.out_width + first, first, rows, walk.shared ? kLanes : call.channels - first},
               tiles);
    }
  }
}

}  // namespace
}  // namespace moru::kernels
