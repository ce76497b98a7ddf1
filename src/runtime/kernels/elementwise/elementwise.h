// SPDX-License-Identifier: Apache-2.0
// What needs no more than a loop. One body (body.h), compiled for each ISA. Outputs may be an input, but must not overlap one otherwise.
#pragma once

#include <span>

#include "runtime/kernels/common.h"

namespace moru::kernels {

/// y = round(clamp(float32((a - a_zero) * a_factor) + float32((b - b_zero) * b_factor), low, high)) + zero. As with Requantize, only the
/// scalar kernel takes sums that may leave int32.
struct AddU8 {
  std::size_t count = 0;
  const std::uint8_t* a = nullptr;
  const std::uint8_t* b = nullptr;
  std::uint8_t* y = nullptr;
  std::int32_t a_zero = 0;
  std::int32_t b_zero = 0;
  float a_factor = 0;
  float b_factor = 0;
  float low = 0;
  float high = 0;
  std::int32_t zero = 0;
};

/// y = round(clamp(float32((a - a_zero) * (b - b_zero)) * factor, low, high)) + zero
struct MulU8 {
  std::size_t count = 0;
  const std::uint8_t* a = nullptr;
  const std::uint8_t* b = nullptr;
  std::uint8_t* y = nullptr;
  std::int32_t a_zero = 0;
  std::int32_t b_zero = 0;
  float factor = 0;
  float low = 0;
  float high = 0;
  std::int32_t zero = 0;
};

struct ElementwiseKernel {
  Isa isa;
  void (*add_u8)(const AddU8& call);
  void (*mul_u8)(const MulU8& call);
  /// y = table[x]
  void (*table_u8)(const std::uint8_t* table, const std::uint8_t* x, std::uint8_t* y, std::size_t count);
  /// y = x ^ 0x80: int8 to its level in uint8 and back.
  void (*flip_u8)(const std::uint8_t* x, std::uint8_t* y, std::size_t count);
  /// sums[c] += sum over rows of x[row, c]
  void (*sum_rows_u8)(const std::uint8_t* x, std::size_t rows, std::ptrdiff_t stride, std::size_t channels, std::int32_t* sums);
  /// sums[row] += sum over k of x[row, k]
  void (*sum_columns_u8)(const std::uint8_t* x, std::size_t rows, std::ptrdiff_t stride, std::size_t k, std::int32_t* sums);
  /// y = round(clamp(float32(sums - offset) * factor, low, high)) + zero, for all with one factor
  void (*requantize)(const std::int32_t* sums, std::size_t count, std::int32_t offset, float factor, float low, float high,
                     std::int32_t zero, std::uint8_t* y);
  /// y = max(y, x)
  void (*max_u8)(const std::uint8_t* x, std::uint8_t* y, std::size_t count);
  void (*max_f32)(const float* x, float* y, std::size_t count);
  /// y = clamp(x, low, high)
  void (*clamp_f32)(const float* x, float* y, std::size_t count, float low, float high);
  /// sums[c] += sum over rows of x[row, c]
  void (*sum_rows_f32)(const float* x, std::size_t rows, std::ptrdiff_t stride, std::size_t channels, float* sums);
  /// y = clamp(x * factor, low, high)
  void (*scale_f32)(const float* x, float* y, std::size_t count, float factor, float low, float high);
  /// y = round(clamp(x / scale, low, high)) + zero; a NaN gives zero
  void (*quantize)(const float* x, std::uint8_t* y, std::size_t count, float scale, float low, float high, std::int32_t zero);
  /// y[i, c] = x[c, i] of 2 to 4 channels
  void (*interleave_f32)(const float* x, std::size_t count, int channels, float* y);
  /// y = float32(x - zero) * scale
  void (*dequantize)(const std::uint8_t* x, float* y, std::size_t count, float scale, std::int32_t zero);
};

std::span<const ElementwiseKernel* const> all_elementwise();

}  // namespace moru::kernels
