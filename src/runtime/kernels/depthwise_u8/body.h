// SPDX-License-Identifier: Apache-2.0
// The kernel over what each ISA's file defines before it includes this:
//   Register, kRegister, kLanes     a register, its bytes, its lanes of int32
//   kTogether, Weight               how many taps a product takes, and the type of a packed weight
//   Split                           four registers, see below
//   Levels, load(), and what the functions here call
//   give_back()                     if interleave() takes something from all levels: to sums what that took from a group's products
// A register has kRegister levels: of so many channels of one column, or of half of them of two columns, and so on down to 8 (a block).
// kTogether taps of them are interleaved, so that each lane has those of one level, for one instruction to multiply and add. That leaves
// the levels in four registers, of which register r has four of each 16, from 4 * r on ("split"), and packing the sums to bytes puts them
// in order again.
// Weights: [block][kTogether taps][4 registers][kLanes][kTogether], split; zeros for what is not there. Taps go down the columns of the
// kernel; for 3x3 each column has four places, so that an interleaved column of levels serves all outputs whose window it is in.
#pragma once

#include "runtime/kernels/depthwise_u8/depthwise_u8.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

constexpr std::ptrdiff_t kGroupBytes = 4 * kRegister;
constexpr int kColumnPlaces = 4;  ///< of a column of 3x3
constexpr int kColumnGroups = kColumnPlaces / kTogether;
constexpr std::ptrdiff_t kColumnBytes = kColumnGroups * kGroupBytes;  ///< of weights

constexpr bool is_3x3(int kernel_h, int kernel_w) { return kernel_h == 3 && kernel_w == 3; }

/// Places of a column of taps, of which kernel_h are taken.
constexpr int column_places(int kernel_h, int kernel_w) { return is_3x3(kernel_h, kernel_w) ? kColumnPlaces : kernel_h; }

constexpr std::ptrdiff_t groups_of(int kernel_h, int kernel_w) {
  return (std::ptrdiff_t{column_places(kernel_h, kernel_w)} * kernel_w + kTogether - 1) / kTogether;
}

/// Channels that the next block has room for, when so many are left.
constexpr int width_of(int left) {
  int width = kRegister;
  while (width > 8 && width / 2 >= left) width /= 2;
  return width;
}

std::size_t packed_bytes(int kernel_h, int kernel_w, int channels) {
  return static_cast<std::size_t>((channels + kRegister - 1) / kRegister * groups_of(kernel_h, kernel_w) * kGroupBytes);
}

void pack(const std::int8_t* w, int kernel_h, int kernel_w, int channels, std::byte* packed) {
  auto* to = reinterpret_cast<Weight*>(packed);
  const int places = column_places(kernel_h, kernel_w);
  for (int first = 0; first < channels; first += kRegister) {
    const int width = width_of(channels - first);
    constexpr int kWeights = 4 * kLanes * kTogether;  // of a group
    for (std::ptrdiff_t at = 0; at < groups_of(kernel_h, kernel_w) * kWeights; ++at) {
      const auto place = static_cast<int>(at / kWeights * kTogether + at % kTogether);
      const auto lane = static_cast<int>(at / kTogether % kLanes);
      const auto part = static_cast<int>(at / kTogether / kLanes % 4);
      const int level = lane / 4 * 16 + part * 4 + lane % 4;
      const int row = place % places;
      const int column = place / places;
      const int c = first + level % width;
      const bool there = row < kernel_h && column < kernel_w && c < channels;
      *to++ = there ? Weight{w[(std::ptrdiff_t{row} * kernel_w + column) * channels + c]} : Weight{0};
    }
  }
}

/// How the columns of a block stand in memory.
enum class Access : std::uint8_t {
  kWhole,   ///< one behind the other
  kHalf,    ///< with a column that is skipped between them
  kPieces,  ///< anyhow
};

/// Where a block's columns are: so many bytes behind its first one.
struct Columns {
  std::ptrdiff_t at[kRegister / 8];
};

/// The bias, and what was taken from the levels of all taps.
template <class Sums>
Sums starts(Sums bias, [[maybe_unused]] const std::byte* weights, [[maybe_unused]] std::ptrdiff_t groups) {
  if constexpr (requires { give_back(bias, weights); }) {
    for (; groups > 0; --groups, weights += kGroupBytes) give_back(bias, weights);
  }
  return bias;
}

/// `width` channels of a row, from channel `first` on.
struct Block {
  const DepthwiseU8& call;
  const std::uint8_t* const* rows;
  std::uint8_t* out;
  const std::byte* weights;
  int first;
  int width;                                                           ///< 8, 16, 32 or 64
  int channels;                                                        ///< <= width
  std::ptrdiff_t pitch = std::ptrdiff_t{call.stride} * call.channels;  ///< from a column to the next
  Split bias = starts(split_entries(call.bias + first, width), weights, groups_of(call.kernel_h, call.kernel_w));
  Split factor = split_entries(call.to.factor + first, width);
  Levels levels{call.to};
};

[[gnu::always_inline]] inline Register to_levels(const Block& block, const Split& sums) {
  Register steps[4];
  unroll<4>(MORU_BODY(auto i) { steps[i] = block.levels.steps(sums.at[i], as_floats(block.factor.at[i])); });
  return block.levels.pack(steps[0], steps[1], steps[2], steps[3]);
}

template <int kWidth, Access kAccess>
[[gnu::always_inline]] inline Register load_columns(const std::uint8_t* x, const Columns& columns) {
  if constexpr (kAccess == Access::kWhole || kWidth == kRegister) return load(x);
  if constexpr (kAccess == Access::kHalf) return even_columns<kWidth>(load(x), load(x + kRegister));
  return load_pieces<kWidth>(x, columns.at);
}

/// `columns` columns of y.
void store_columns(const Block& block, int x, int columns, Register y) {
  const int channels = block.call.channels;
  std::uint8_t* out = block.out + std::ptrdiff_t{x} * channels + block.first;
  if (block.width == channels || block.width == kRegister) {
    store_levels(out, y, block.width == channels ? columns * channels : block.channels);
    return;
  }
  alignas(kRegister) std::uint8_t all[2 * kRegister];  // the last load reads over the end
  store(all, y);
  for (int i = 0; i < columns; ++i, out += channels) store_levels(out, load(all + i * block.width), block.channels);
}

/// The places of the taps one after the other.
class Taps {
 public:
  Taps(const DepthwiseU8& call, const std::uint8_t* const* rows)
      : rows_(rows),
        height_(call.kernel_h),
        places_(column_places(call.kernel_h, call.kernel_w)),
        next_(std::ptrdiff_t{call.dilation} * call.channels),
        last_(std::ptrdiff_t{call.kernel_w - 1} * next_) {}

  /// For a place without a tap: some tap.
  const std::uint8_t* next() {
    const std::uint8_t* tap = rows_[row_ < height_ ? row_ : height_ - 1] + column_;
    if (++row_ == places_ && column_ < last_) {
      row_ = 0;
      column_ += next_;
    }
    return tap;
  }

 private:
  const std::uint8_t* const* rows_;
  int height_;
  int places_;
  std::ptrdiff_t next_;
  std::ptrdiff_t last_;
  int row_ = 0;
  std::ptrdiff_t column_ = 0;
};

template <int kWidth, Access kAccess>
Split sum_any(const Block& block, std::ptrdiff_t at, const Columns& columns) {
  const DepthwiseU8& call = block.call;
  Taps taps(call, block.rows);
  Split sums = block.bias;
  Split window{};  // sums of levels
  for (std::ptrdiff_t group = 0; group < groups_of(call.kernel_h, call.kernel_w); ++group) {
    Register x[kTogether];
    unroll<kTogether>(MORU_BODY(auto i) { x[i] = load_columns<kWidth, kAccess>(taps.next() + at, columns); });
    const Split levels = interleave(x);
    add_products(sums, levels, block.weights + group * kGroupBytes);
    if (call.w_zero == nullptr) continue;
    const auto place = static_cast<int>(group * kTogether);
    const int left = is_3x3(call.kernel_h, call.kernel_w) ? call.kernel_h - place % kColumnPlaces : call.kernel_h * call.kernel_w - place;
    const Register ones = first_ones(left < kTogether ? left : kTogether);
    unroll<4>(MORU_BODY(auto i) { add_products(window.at[i], levels.at[i], ones); });
  }
  if (call.w_zero != nullptr) {
    const Split w_zero = split_entries(call.w_zero + block.first, block.width);
    unroll<4>(MORU_BODY(auto i) { subtract_product(sums.at[i], window.at[i], w_zero.at[i]); });
  }
  return sums;
}

/// Three rows of a column, interleaved.
struct Column {
  Split groups[kColumnGroups];
};

[[gnu::always_inline]] inline void add_column(Split& sums, const Column& column, const std::byte* weights) {
  unroll<kColumnGroups>(MORU_BODY(auto i) { add_products(sums, column.groups[i], weights + i * kGroupBytes); });
}

template <int kWidth, Access kAccess>
[[gnu::always_inline]] inline Column load_column(const Block& block, std::ptrdiff_t at, const Columns& columns) {
  Register x[kColumnPlaces] = {};
  unroll<3>(MORU_BODY(auto i) { x[i] = load_columns<kWidth, kAccess>(block.rows[i] + at, columns); });
  Column column;
  unroll<kColumnGroups>(MORU_BODY(auto i) { column.groups[i] = interleave(x + i * kTogether); });
  return column;
}

template <int kWidth, Access kAccess>
[[gnu::always_inline]] inline Split sum_3x3(const Block& block, std::ptrdiff_t at, const Columns& columns) {
  const std::ptrdiff_t next = std::ptrdiff_t{block.call.dilation} * block.call.channels;
  Split sums = block.bias;
  unroll<3>(MORU_BODY(auto i) {
    add_column(sums, load_column<kWidth, kAccess>(block, at + i * next, columns), block.weights + i * kColumnBytes);
  });
  return sums;
}

/// All columns of a block, a register of levels at a time. The last time, columns that are done already are done again.
template <int kWidth, Access kAccess, bool k3x3>
void run_columns(const Block& block) {
  const DepthwiseU8& call = block.call;
  const int together = kRegister / kWidth < call.out_width ? kRegister / kWidth : call.out_width;
  Columns columns{};
  for (int i = 1; i < kRegister / 8; ++i) columns.at[i] = (i < together ? i : together - 1) * block.pitch;
  for (int x = 0; x < call.out_width; x += together) {
    if (x > call.out_width - together) x = call.out_width - together;
    const std::ptrdiff_t at = x * block.pitch + block.first;
    Split sums;
    if constexpr (k3x3) {
      sums = sum_3x3<kWidth, kAccess>(block, at, columns);
    } else {
      sums = sum_any<kWidth, kAccess>(block, at, columns);
    }
    store_columns(block, x, together, to_levels(block, sums));
  }
}

/// 3x3 of as many channels as a register has levels: each column is interleaved once.
template <int kStride>
void run_rolling(const Block& block) {
  const DepthwiseU8& call = block.call;
  const Columns columns{};
  std::ptrdiff_t at = block.first;
  const auto next = MORU_BODY() {
    const Column column = load_column<kRegister, Access::kWhole>(block, at, columns);
    at += call.channels;
    return column;
  };
  const auto begun = MORU_BODY(const Column& column) {
    Split sums = block.bias;
    add_column(sums, column, block.weights);
    return sums;
  };
  std::uint8_t* out = block.out + block.first;
  Split sums = begun(next());
  Split sums_next;
  if constexpr (kStride == 1) {
    const Column column = next();
    add_column(sums, column, block.weights + kColumnBytes);
    sums_next = begun(column);
  }
  for (int x = 0; x < call.out_width; ++x, out += call.channels) {
    if constexpr (kStride == 2) add_column(sums, next(), block.weights + kColumnBytes);
    const Column column = next();
    add_column(sums, column, block.weights + 2 * kColumnBytes);
    store_levels(out, to_levels(block, sums), block.channels);
    if constexpr (kStride == 1) {
      sums = sums_next;
      add_column(sums, column, block.weights + kColumnBytes);
      sums_next = begun(column);
    } else {
      sums = begun(column);
    }
  }
}

/// The levels that are kShift behind those of `now`; `then` has those behind `now`.
template <int kShift>
[[gnu::always_inline]] inline Column shifted(const Column& now, const Column& then) {
  Column y;
  unroll<kColumnGroups * 4>(MORU_BODY(auto i) {
    constexpr int kFrom = i % 4 + kShift % 16 / 4;
    y.groups[i / 4].at[i % 4] =
        shift_lanes<(kShift / 16 + kFrom / 4) * 4>(now.groups[i / 4].at[kFrom % 4], then.groups[i / 4].at[kFrom % 4]);
  });
  return y;
}

/// 3x3 of fewer channels that are all there are, stride 1, a register of levels a row or more: the same, as a column is `now` shifted.
template <int kWidth>
void run_rolling_narrow(const Block& block) {
  constexpr int kTimes = kRegister / kWidth;
  const DepthwiseU8& call = block.call;
  const Columns columns{};
  const auto from = MORU_BODY(int x) { return load_column<kWidth, Access::kWhole>(block, std::ptrdiff_t{x} * kWidth, columns); };
  Column now = from(0);
  for (int x = 0;;) {
    const Column then = from(x + kTimes);
    Split sums = block.bias;
    add_column(sums, now, block.weights);
    add_column(sums, shifted<kWidth>(now, then), block.weights + kColumnBytes);
    add_column(sums, shifted<2 * kWidth>(now, then), block.weights + 2 * kColumnBytes);
    store_levels(block.out + std::ptrdiff_t{x} * kWidth, to_levels(block, sums), kRegister);
    if (x + kTimes == call.out_width) return;
    if (x + 2 * kTimes <= call.out_width) {
      x += kTimes;
      now = then;
    } else {
      x = call.out_width - kTimes;
      now = from(x);
    }
  }
}

template <int kWidth>
void run_width(const Block& block) {
  const DepthwiseU8& call = block.call;
  const bool simple = is_3x3(call.kernel_h, call.kernel_w) && call.w_zero == nullptr;
  if constexpr (kWidth == kRegister) {
    if (simple && call.dilation == 1 && call.stride == 1) return run_rolling<1>(block);
    if (simple && call.dilation == 1 && call.stride == 2) return run_rolling<2>(block);
    return simple ? run_columns<kWidth, Access::kWhole, true>(block) : run_columns<kWidth, Access::kWhole, false>(block);
  } else {
    const bool full = call.out_width >= kRegister / kWidth;
    if (full && call.channels == kWidth && call.stride == 1) {
      if (simple && call.dilation == 1) return run_rolling_narrow<kWidth>(block);
      return simple ? run_columns<kWidth, Access::kWhole, true>(block) : run_columns<kWidth, Access::kWhole, false>(block);
    }
    if (full && call.channels == kWidth && call.stride == 2) {
      return simple ? run_columns<kWidth, Access::kHalf, true>(block) : run_columns<kWidth, Access::kHalf, false>(block);
    }
    return simple ? run_columns<kWidth, Access::kPieces, true>(block) : run_columns<kWidth, Access::kPieces, false>(block);
  }
}

template <int kWidth = kRegister>
void run_block(const Block& block) {
  if (block.width == kWidth) return run_width<kWidth>(block);
  if constexpr (kWidth > 8) run_block<kWidth / 2>(block);
}

void run(const DepthwiseU8& call) {
  const std::byte* weights = call.weights;
  for (int first = 0; first < call.channels; first += kRegister) {
    const int left = call.channels - first;
    Block block{call, call.rows, call.out, weights, first, width_of(left), left < kRegister ? left : kRegister};
    for (int y = 0; y < call.out_height; ++y) {
      run_block(block);
      block.rows += call.row_stride;
      block.out += std::ptrdiff_t{call.out_width} * call.channels;
    }
    weights += groups_of(call.kernel_h, call.kernel_w) * kGroupBytes;
  }
}

}  // namespace
}  // namespace moru::kernels
