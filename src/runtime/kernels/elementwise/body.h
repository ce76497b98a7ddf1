// SPDX-License-Identifier: Apache-2.0
// The loops of elementwise.h, plain enough for the compiler to make vectors of them. Each ISA's file includes this one time.
#pragma once

#include "runtime/kernels/elementwise/elementwise.h"
#include "runtime/kernels/round.h"

namespace moru::kernels {
namespace {

void add_u8(const AddU8& call) {
  const AddU8 it = call;
  for (std::size_t i = 0; i < it.count; ++i) {
    const float a = static_cast<float>(it.a[i] - it.a_zero) * it.a_factor;
    const float b = static_cast<float>(it.b[i] - it.b_zero) * it.b_factor;
    it.y[i] = to_level(a + b, it.low, it.high, it.zero);
  }
}

void mul_u8(const MulU8& call) {
  const MulU8 it = call;
  for (std::size_t i = 0; i < it.count; ++i) {
    const float product = static_cast<float>((it.a[i] - it.a_zero) * (it.b[i] - it.b_zero));
    it.y[i] = to_level(product * it.factor, it.low, it.high, it.zero);
  }
}

void table_u8(const std::uint8_t* table, const std::uint8_t* x, std::uint8_t* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = table[x[i]];
}

void flip_u8(const std::uint8_t* x, std::uint8_t* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = static_cast<std::uint8_t>(x[i] ^ 0x80U);
}

/// Of kChannels: few enough for the sums to stay in registers.
template <std::size_t kChannels>
void sum_block_u8(const std::uint8_t* x, std::size_t rows, std::ptrdiff_t stride, std::int32_t* sums) {
  std::int32_t block[kChannels];
  for (std::size_t c = 0; c < kChannels; ++c) block[c] = sums[c];
  for (std::size_t row = 0; row < rows; ++row, x += stride) {
    for (std::size_t c = 0; c < kChannels; ++c) block[c] += x[c];
  }
  for (std::size_t c = 0; c < kChannels; ++c) sums[c] = block[c];
}

void sum_rows_u8(const std::uint8_t* x, std::size_t rows, std::ptrdiff_t stride, std::size_t channels, std::int32_t* sums) {
  constexpr std::size_t kBlock = 64;
  for (; channels >= kBlock; channels -= kBlock, x += kBlock, sums += kBlock) sum_block_u8<kBlock>(x, rows, stride, sums);
  for (std::size_t row = 0; row < rows; ++row, x += stride) {
    for (std::size_t c = 0; c < channels; ++c) sums[c] += x[c];
  }
}

/// The sum of the eight bytes of a word.
inline std::int32_t sum_of_bytes(std::uint64_t word) {
  constexpr std::uint64_t kEven = 0x00FF00FF00FF00FF;
  constexpr std::uint64_t kOnes = 0x0001000100010001;
  return static_cast<std::int32_t>((((word & kEven) + ((word >> 8) & kEven)) * kOnes) >> 48);
}

void sum_columns_u8(const std::uint8_t* x, std::size_t rows, std::ptrdiff_t stride, std::size_t k, std::int32_t* sums) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  const std::uint64_t last = k % kWord == 0 ? 0 : ~std::uint64_t{0} >> (8 * (kWord - k % kWord));
  for (std::size_t row = 0; row < rows; ++row, x += stride) {
    std::int32_t sum = 0;
    std::uint64_t word = 0;
    std::size_t i = 0;
    for (; i + kWord <= k; i += kWord) {
      __builtin_memcpy(&word, x + i, kWord);
      sum += sum_of_bytes(word);
    }
    __builtin_memcpy(&word, x + i, kWord);
    sums[row] += sum + sum_of_bytes(word & last);
  }
}

void requantize(const std::int32_t* sums, std::size_t count, std::int32_t offset, float factor, float low, float high, std::int32_t zero,
                std::uint8_t* y) {
  for (std::size_t i = 0; i < count; ++i) y[i] = to_level(static_cast<float>(sums[i] - offset) * factor, low, high, zero);
}

void max_u8(const std::uint8_t* x, std::uint8_t* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = x[i] > y[i] ? x[i] : y[i];
}

void max_f32(const float* x, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = x[i] > y[i] ? x[i] : y[i];
}

void clamp_f32(const float* x, float* y, std::size_t count, float low, float high) {
  for (std::size_t i = 0; i < count; ++i) y[i] = clamp(x[i], low, high);
}

void sum_rows_f32(const float* x, std::size_t rows, std::ptrdiff_t stride, std::size_t channels, float* sums) {
  for (std::size_t row = 0; row < rows; ++row, x += stride) {
    for (std::size_t c = 0; c < channels; ++c) sums[c] += x[c];
  }
}

void scale_f32(const float* x, float* y, std::size_t count, float factor, float low, float high) {
  for (std::size_t i = 0; i < count; ++i) y[i] = clamp(x[i] * factor, low, high);
}

void quantize(const float* x, std::uint8_t* y, std::size_t count, float scale, float low, float high, std::int32_t zero) {
  for (std::size_t i = 0; i < count; ++i) {
    const float steps = x[i] / scale;
    y[i] = to_level(steps == steps ? steps : 0.0F, low, high, zero);
  }
}

/// A constant number of channels, so that the compiler shuffles registers.
template <std::size_t kChannels>
void interleave(const float* __restrict x, std::size_t count, float* __restrict y) {
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < kChannels; ++c) y[i * kChannels + c] = x[c * count + i];
  }
}

void interleave_f32(const float* x, std::size_t count, int channels, float* y) {
  if (channels == 2) return interleave<2>(x, count, y);
  if (channels == 3) return interleave<3>(x, count, y);
  interleave<4>(x, count, y);
}

void dequantize(const std::uint8_t* x, float* y, std::size_t count, float scale, std::int32_t zero) {
  for (std::size_t i = 0; i < count; ++i) y[i] = static_cast<float>(x[i] - zero) * scale;
}

constexpr ElementwiseKernel kernel_for(Isa isa) {
  return {isa,    add_u8,  mul_u8,    table_u8,     flip_u8,   sum_rows_u8, sum_columns_u8, requantize,
          max_u8, max_f32, clamp_f32, sum_rows_f32, scale_f32, quantize,    interleave_f32, dequantize};
}

}  // namespace
}  // namespace moru::kernels
