// SPDX-License-Identifier: Apache-2.0
// 64 levels at a time: of 64 channels of one column, or of 32, 16 or 8 channels of two, four or eight columns (a block). Four taps of them
// are interleaved, so that each lane has the four of one level, for one instruction to multiply and add; that leaves the levels in four
// registers, of which register r has four of each 16, from 4 * r on ("split"), and packing the sums to bytes puts them in order again.
// Weights: [block][four taps][4 registers][16 lanes][4 taps], split; zeros for what is not there. Taps go down the columns of the kernel;
// for 3x3 each column has four of its own, so that one interleaved column of levels serves all outputs whose window it is in.
#include "runtime/kernels/avx512.h"

#include "runtime/kernels/depthwise_u8/depthwise_u8.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

constexpr int kTogether = 4;
constexpr std::ptrdiff_t kGroupBytes = 4 * kRegister;

constexpr bool is_3x3(int kernel_h, int kernel_w) { return kernel_h == 3 && kernel_w == 3; }

/// Places of a column of taps, of which kernel_h are taken.
constexpr int column_places(int kernel_h, int kernel_w) { return is_3x3(kernel_h, kernel_w) ? kTogether : kernel_h; }

constexpr std::ptrdiff_t groups_of(int kernel_h, int kernel_w) {
  return (std::ptrdiff_t{column_places(kernel_h, kernel_w)} * kernel_w + kTogether - 1) / kTogether;
}

/// Channels that the next block has room for, when so many are left.
constexpr int width_of(int left) { return left > 32 ? 64 : left > 16 ? 32 : left > 8 ? 16 : 8; }

std::size_t packed_bytes(int kernel_h, int kernel_w, int channels) {
  return static_cast<std::size_t>((channels + kRegister - 1) / kRegister * groups_of(kernel_h, kernel_w) * kGroupBytes);
}

void pack(const std::int8_t* w, int kernel_h, int kernel_w, int channels, std::byte* packed) {
  const int places = column_places(kernel_h, kernel_w);
  for (int first = 0; first < channels; first += kRegister) {
    const int width = width_of(channels - first);
    for (std::ptrdiff_t at = 0; at < groups_of(kernel_h, kernel_w) * kGroupBytes; ++at) {
      const auto place = static_cast<int>(at / kGroupBytes * kTogether + at % kTogether);
      const auto level = static_cast<int>(at / 16 % 4 * 16 + at % kGroupBytes / kRegister * 4 + at / kTogether % 4);  // split
      const int row = place % places;
      const int column = place / places;
      const int c = first + level % width;
      const bool there = row < kernel_h && column < kernel_w && c < channels;
      *packed++ = there ? static_cast<std::byte>(w[(std::ptrdiff_t{row} * kernel_w + column) * channels + c]) : std::byte{0};
    }
  }
}

struct Split {
  __m512i at[4];
};

[[gnu::always_inline]] inline Split interleave(__m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab_low = _mm512_unpacklo_epi8(a, b);
  const __m512i ab_high = _mm512_unpackhi_epi8(a, b);
  const __m512i cd_low = _mm512_unpacklo_epi8(c, d);
  const __m512i cd_high = _mm512_unpackhi_epi8(c, d);
  return {{_mm512_unpacklo_epi16(ab_low, cd_low), _mm512_unpackhi_epi16(ab_low, cd_low), _mm512_unpacklo_epi16(ab_high, cd_high),
           _mm512_unpackhi_epi16(ab_high, cd_high)}};
}

[[gnu::always_inline]] inline void add_products(Split& sums, const Split& levels, const std::byte* weights) {
  unroll<4>(MORU_BODY(auto i) { add_products(sums.at[i], levels.at[i], load(weights + i * kRegister)); });
}

/// `width` entries of an array with one a channel, for each of the 64 levels.
Split split_entries(const void* entries, int width) {
  const auto* at = static_cast<const std::byte*>(entries);
  __m512i x[4] = {load(at), load(at), load(at), load(at)};
  if (width == 8) {
    for (auto& part : x) part = _mm512_shuffle_i64x2(part, part, 0x44);
  } else if (width == 32) {
    x[1] = x[3] = load(at + kRegister);
  } else if (width == 64) {
    for (int i = 1; i < 4; ++i) x[i] = load(at + i * kRegister);
  }
  const __m512i even01 = _mm512_shuffle_i32x4(x[0], x[1], 0x88);
  const __m512i even23 = _mm512_shuffle_i32x4(x[2], x[3], 0x88);
  const __m512i odd01 = _mm512_shuffle_i32x4(x[0], x[1], 0xDD);
  const __m512i odd23 = _mm512_shuffle_i32x4(x[2], x[3], 0xDD);
  return {{_mm512_shuffle_i32x4(even01, even23, 0x88), _mm512_shuffle_i32x4(odd01, odd23, 0x88), _mm512_shuffle_i32x4(even01, even23, 0xDD),
           _mm512_shuffle_i32x4(odd01, odd23, 0xDD)}};
}

/// How the columns of a block stand in memory.
enum class Access : std::uint8_t {
  kWhole,   ///< one behind the other
  kHalf,    ///< with a column that is skipped between them
  kPieces,  ///< anyhow
};

/// `width` channels of a row, from channel `first` on.
struct Block {
  const DepthwiseU8& call;
  const std::byte* weights;
  int first;
  int width;                                                           ///< 8, 16, 32 or 64
  int channels;                                                        ///< <= width
  std::ptrdiff_t pitch = std::ptrdiff_t{call.stride} * call.channels;  ///< from a column to the next
  Split bias = split_entries(call.bias + first, width);
  Split factor = split_entries(call.to.factor + first, width);
  Levels levels{call.to};
};

[[gnu::always_inline]] inline __m512i to_levels(const Block& block, const Split& sums) {
  __m512i steps[4];
  unroll<4>(MORU_BODY(auto i) { steps[i] = block.levels.steps(sums.at[i], _mm512_castsi512_ps(block.factor.at[i])); });
  return block.levels.pack(steps[0], steps[1], steps[2], steps[3]);
}

/// Where a block's columns are: so many bytes behind its first one.
struct Columns {
  std::ptrdiff_t at[8];
};

template <int kWidth>
[[gnu::always_inline]] inline __m512i load_pieces(const std::uint8_t* x, const Columns& columns) {
  const auto at = MORU_BODY(int i) { return x + columns.at[i]; };
  if constexpr (kWidth == 64) {
    return load(x);
  } else if constexpr (kWidth == 32) {
    const auto half = MORU_BODY(int i) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at(i))); };
    return _mm512_inserti64x4(_mm512_castsi256_si512(half(0)), half(1), 1);
  } else {
    const auto quarter = MORU_BODY(int i) {
      if constexpr (kWidth == 16) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at(i)));
      const __m128i low = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at(2 * i)));
      return _mm_unpacklo_epi64(low, _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at(2 * i + 1))));
    };
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(quarter(0)), quarter(1), 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(quarter(2)), quarter(3), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  }
}

/// Of 16 quadwords the even ones, those of even pairs, or those of even fours.
template <int kWidth>
[[gnu::always_inline]] inline __m512i even_columns() {
  if constexpr (kWidth == 8) return _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
  if constexpr (kWidth == 16) return _mm512_setr_epi64(0, 1, 4, 5, 8, 9, 12, 13);
  return _mm512_setr_epi64(0, 1, 2, 3, 8, 9, 10, 11);
}

template <int kWidth, Access kAccess>
[[gnu::always_inline]] inline __m512i load_columns(const std::uint8_t* x, const Columns& columns) {
  if constexpr (kAccess == Access::kWhole) return load(x);
  if constexpr (kAccess == Access::kHalf) return _mm512_permutex2var_epi64(load(x), even_columns<kWidth>(), load(x + kRegister));
  return load_pieces<kWidth>(x, columns);
}

/// `columns` columns of y.
void store_columns(const Block& block, int x, int columns, __m512i y) {
  const int channels = block.call.channels;
  std::uint8_t* out = block.call.out + std::ptrdiff_t{x} * channels + block.first;
  if (block.width == channels || block.width == kRegister) {
    _mm512_mask_storeu_epi8(out, first_bytes(block.width == channels ? columns * channels : block.channels), y);
    return;
  }
  alignas(kRegister) std::uint8_t all[kRegister + 32];  // the last load below reads 24 bytes more
  _mm512_store_si512(all, y);
  const auto mask = static_cast<__mmask32>(first_bytes(block.channels));
  for (int i = 0; i < columns; ++i, out += channels) {
    _mm256_mask_storeu_epi8(out, mask, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(all + i * block.width)));
  }
}

/// The places of the taps one after the other.
class Taps {
 public:
  explicit Taps(const DepthwiseU8& call)
      : rows_(call.rows),
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

/// Bytes of ones for the taps of a group, zeros for places without a tap.
__m512i ones_of(const DepthwiseU8& call, std::ptrdiff_t group) {
  const std::ptrdiff_t left = std::ptrdiff_t{call.kernel_h} * call.kernel_w - group * kTogether;
  const std::ptrdiff_t count = is_3x3(call.kernel_h, call.kernel_w) ? 3 : left < kTogether ? left : kTogether;
  return _mm512_set1_epi32(static_cast<int>(0x01010101U >> (8 * (kTogether - count))));
}

template <int kWidth, Access kAccess>
Split sum_any(const Block& block, std::ptrdiff_t at, const Columns& columns) {
  const DepthwiseU8& call = block.call;
  Taps taps(call);
  Split sums = block.bias;
  Split window{};  // sums of levels
  for (std::ptrdiff_t group = 0; group < groups_of(call.kernel_h, call.kernel_w); ++group) {
    __m512i x[kTogether];
    unroll<kTogether>(MORU_BODY(auto i) { x[i] = load_columns<kWidth, kAccess>(taps.next() + at, columns); });
    const Split levels = interleave(x[0], x[1], x[2], x[3]);
    add_products(sums, levels, block.weights + group * kGroupBytes);
    if (call.w_zero == nullptr) continue;
    const __m512i ones = ones_of(call, group);
    unroll<4>(MORU_BODY(auto i) { add_products(window.at[i], levels.at[i], ones); });
  }
  if (call.w_zero != nullptr) {
    const Split w_zero = split_entries(call.w_zero + block.first, block.width);
    unroll<4>(MORU_BODY(auto i) { sums.at[i] = _mm512_sub_epi32(sums.at[i], _mm512_mullo_epi32(window.at[i], w_zero.at[i])); });
  }
  return sums;
}

template <int kWidth, Access kAccess>
[[gnu::always_inline]] inline Split interleave_column(const Block& block, std::ptrdiff_t at, const Columns& columns) {
  const auto row = MORU_BODY(int i) { return load_columns<kWidth, kAccess>(block.call.rows[i] + at, columns); };
  return interleave(row(0), row(1), row(2), _mm512_setzero_si512());
}

template <int kWidth, Access kAccess>
[[gnu::always_inline]] inline Split sum_3x3(const Block& block, std::ptrdiff_t at, const Columns& columns) {
  const std::ptrdiff_t next = std::ptrdiff_t{block.call.dilation} * block.call.channels;
  Split sums = block.bias;
  unroll<3>(MORU_BODY(auto i) {
    add_products(sums, interleave_column<kWidth, kAccess>(block, at + i * next, columns), block.weights + i * kGroupBytes);
  });
  return sums;
}

/// All columns of a block, 64 levels at a time. The last time, columns that are done already are done again.
template <int kWidth, Access kAccess, bool k3x3>
void run_columns(const Block& block) {
  const DepthwiseU8& call = block.call;
  const int together = kRegister / kWidth < call.out_width ? kRegister / kWidth : call.out_width;
  Columns columns{};
  for (int i = 1; i < 8; ++i) columns.at[i] = (i < together ? i : together - 1) * block.pitch;
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

/// 3x3 of 64 channels: each column is interleaved once.
template <int kStride>
void run_rolling(const Block& block) {
  const DepthwiseU8& call = block.call;
  const __mmask64 mask = first_bytes(block.channels);
  const Columns columns{};
  std::ptrdiff_t at = block.first;
  const auto next = MORU_BODY() {
    const Split levels = interleave_column<kRegister, Access::kWhole>(block, at, columns);
    at += call.channels;
    return levels;
  };
  const auto begun = MORU_BODY(const Split& levels) {
    Split sums = block.bias;
    add_products(sums, levels, block.weights);
    return sums;
  };
  std::uint8_t* out = call.out + block.first;
  Split sums = begun(next());
  Split sums_next;
  if constexpr (kStride == 1) {
    const Split levels = next();
    add_products(sums, levels, block.weights + kGroupBytes);
    sums_next = begun(levels);
  }
  for (int x = 0; x < call.out_width; ++x, out += call.channels) {
    if constexpr (kStride == 2) add_products(sums, next(), block.weights + kGroupBytes);
    const Split levels = next();
    add_products(sums, levels, block.weights + 2 * kGroupBytes);
    _mm512_mask_storeu_epi8(out, mask, to_levels(block, sums));
    if constexpr (kStride == 1) {
      sums = sums_next;
      add_products(sums, levels, block.weights + kGroupBytes);
      sums_next = begun(levels);
    } else {
      sums = begun(levels);
    }
  }
}

/// The levels that are kShift behind those of `now`; `then` has the 64 behind `now`.
template <int kShift>
[[gnu::always_inline]] inline Split shifted(const Split& now, const Split& then) {
  Split y;
  unroll<4>(MORU_BODY(auto i) {
    constexpr int kFrom = i + kShift % 16 / 4;
    constexpr int kShiftLanes = (kShift / 16 + kFrom / 4) * 4;
    if constexpr (kShiftLanes == 0) {
      y.at[i] = now.at[kFrom % 4];
    } else if constexpr (kShiftLanes == kLanes) {
      y.at[i] = then.at[kFrom % 4];
    } else {
      y.at[i] = _mm512_alignr_epi32(then.at[kFrom % 4], now.at[kFrom % 4], kShiftLanes);
    }
  });
  return y;
}

/// 3x3 of 8, 16 or 32 channels that are all there are, stride 1, at least 64 levels a row: the same, as a column is `now` shifted.
template <int kWidth>
void run_rolling_narrow(const Block& block) {
  constexpr int kColumns = kRegister / kWidth;
  const DepthwiseU8& call = block.call;
  const Columns columns{};
  const auto interleaved = MORU_BODY(int x) {
    return interleave_column<kWidth, Access::kWhole>(block, std::ptrdiff_t{x} * kWidth, columns);
  };
  Split now = interleaved(0);
  for (int x = 0;;) {
    const Split then = interleaved(x + kColumns);
    Split sums = block.bias;
    add_products(sums, now, block.weights);
    add_products(sums, shifted<kWidth>(now, then), block.weights + kGroupBytes);
    add_products(sums, shifted<2 * kWidth>(now, then), block.weights + 2 * kGroupBytes);
    _mm512_storeu_si512(call.out + std::ptrdiff_t{x} * kWidth, to_levels(block, sums));
    if (x + kColumns == call.out_width) return;
    if (x + 2 * kColumns <= call.out_width) {
      x += kColumns;
      now = then;
    } else {
      x = call.out_width - kColumns;
      now = interleaved(x);
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

void run(const DepthwiseU8& call) {
  const std::byte* weights = call.weights;
  for (int first = 0; first < call.channels; first += kRegister) {
    const int left = call.channels - first;
    const Block block{call, weights, first, width_of(left), left < kRegister ? left : kRegister};
    switch (block.width) {
      case 8: run_width<8>(block); break;
      case 16: run_width<16>(block); break;
      case 32: run_width<32>(block); break;
      default: run_width<64>(block);
    }
    weights += groups_of(call.kernel_h, call.kernel_w) * kGroupBytes;
  }
}

}  // namespace

extern const DepthwiseU8Kernel kDepthwiseU8_avx512;
const DepthwiseU8Kernel kDepthwiseU8_avx512{Isa::kAvx512, packed_bytes, pack, run};

}  // namespace moru::kernels
