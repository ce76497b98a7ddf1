// SPDX-License-Identifier: Apache-2.0
// The loops of map.h, plain enough for the compiler to make vectors of them. Each ISA's file includes this one time.
#pragma once

#include "runtime/kernels/map/map.h"
#include "runtime/kernels/round.h"

namespace moru::kernels {
namespace {

/// exp by 2^n * exp(r), |r| <= ln(2) / 2; coefficients of Cephes' expf (Moshier, 1989). 0 below -87.3, inf above 88.72.
inline float exp_of(float x) {
  constexpr float kLowest = -87.3F;
  constexpr float kHighest = 88.72F;
  constexpr float kMagic = 12582912.0F;
  const float inside = clamp(x, kLowest, kHighest);
  const float shifted = inside * 1.44269504F + kMagic;
  const float n = shifted - kMagic;
  const float r = (inside - n * 0.693359375F) + n * 2.12194440e-4F;
  float sum = 1.9875691500e-4F;
  sum = sum * r + 1.3981999507e-3F;
  sum = sum * r + 8.3334519073e-3F;
  sum = sum * r + 4.1665795894e-2F;
  sum = sum * r + 1.6666665459e-1F;
  sum = sum * r + 5.0000001201e-1F;
  sum = sum * r * r + r + 1.0F;
  // n stands in the low bits of `shifted`; a half of it at a time, since 2^128 is no float.
  const std::int32_t bits = __builtin_bit_cast(std::int32_t, shifted) - __builtin_bit_cast(std::int32_t, kMagic);
  const std::int32_t half = bits >> 1;
  const float y = sum * __builtin_bit_cast(float, (half + 127) << 23) * __builtin_bit_cast(float, (bits - half + 127) << 23);
  const float bounded = x < kLowest ? 0.0F : y;
  return x > kHighest ? __builtin_inff() : bounded;
}

inline float sigmoid_of(float x) { return 1.0F / (1.0F + exp_of(-x)); }

/// Near 0 by a polynomial (Cephes' tanhf), where 1 - 2 / (exp(2x) + 1) would have few bits left.
inline float tanh_of(float x) {
  const float square = x * x;
  float sum = -5.70498872745e-3F;
  sum = sum * square + 2.06390887954e-2F;
  sum = sum * square - 5.37397155531e-2F;
  sum = sum * square + 1.33314422036e-1F;
  sum = sum * square - 3.33332819422e-1F;
  const float near = sum * square * x + x;
  const float far = 1.0F - 2.0F / (exp_of(2.0F * x) + 1.0F);
  return (x < 0.0F ? -x : x) < 0.625F ? near : far;
}

/// Near 0 by its power series, which keeps small ones; else by Abramowitz and Stegun's 7.1.26, right to 1.5e-7.
inline float erf_of(float x) {
  const float square = x * x;
  float series = 1.0F / 9360.0F;
  series = series * square - 1.0F / 1320.0F;
  series = series * square + 1.0F / 216.0F;
  series = series * square - 1.0F / 42.0F;
  series = series * square + 0.1F;
  series = series * square - 1.0F / 3.0F;
  const float near = 1.12837917F * (x + x * square * series);
  const float size = x < 0.0F ? -x : x;
  const float t = 1.0F / (1.0F + 0.3275911F * size);
  float sum = 1.061405429F;
  sum = sum * t - 1.453152027F;
  sum = sum * t + 1.421413741F;
  sum = sum * t - 0.284496736F;
  sum = sum * t + 0.254829592F;
  const float above = 1.0F - sum * t * exp_of(-square);
  const float far = x < 0.0F ? -above : above;
  return size < 0.5F ? near : far;
}

template <class F>
void map(const float* x, float* y, std::size_t count, F f) {
  for (std::size_t i = 0; i < count; ++i) y[i] = f(x[i]);
}

void abs_f32(const float* x, float* y, std::size_t count, float, float) {
  map(x, y, count, [](float v) { return __builtin_fabsf(v); });
}
void ceil_f32(const float* x, float* y, std::size_t count, float, float) {
  map(x, y, count, [](float v) { return __builtin_ceilf(v); });
}
void elu_f32(const float* x, float* y, std::size_t count, float p, float) {
  // exp(x) - 1 through tanh, so that little is lost near 0: (1 + t) / (1 - t) - 1 = 2t / (1 - t), t = tanh(x / 2).
  map(x, y, count, [p](float v) {
    const float t = tanh_of(0.5F * (v < 0.0F ? v : 0.0F));
    const float below = p * (2.0F * t / (1.0F - t));
    return v < 0.0F ? below : v;
  });
}
void erf_f32(const float* x, float* y, std::size_t count, float, float) { map(x, y, count, erf_of); }
void exp_f32(const float* x, float* y, std::size_t count, float, float) { map(x, y, count, exp_of); }
void floor_f32(const float* x, float* y, std::size_t count, float, float) {
  map(x, y, count, [](float v) { return __builtin_floorf(v); });
}
void gelu_f32(const float* x, float* y, std::size_t count, float, float) {
  map(x, y, count, [](float v) { return 0.5F * v * (1.0F + erf_of(v * 0.70710678F)); });
}
void hard_sigmoid_f32(const float* x, float* y, std::size_t count, float p, float q) {
  map(x, y, count, [p, q](float v) { return clamp(p * v + q, 0.0F, 1.0F); });
}
void hard_swish_f32(const float* x, float* y, std::size_t count, float, float) {
  map(x, y, count, [](float v) { return v * clamp(v / 6.0F + 0.5F, 0.0F, 1.0F); });
}
void leaky_relu_f32(const float* x, float* y, std::size_t count, float p, float) {
  map(x, y, count, [p](float v) { return v < 0.0F ? p * v : v; });
}
void neg_f32(const float* x, float* y, std::size_t count, float, float) {
  map(x, y, count, [](float v) { return -v; });
}
void reciprocal_f32(const float* x, float* y, std::size_t count, float, float) {
  map(x, y, count, [](float v) { return 1.0F / v; });
}
void sigmoid_f32(const float* x, float* y, std::size_t count, float, float) { map(x, y, count, sigmoid_of); }
void sign_f32(const float* x, float* y, std::size_t count, float, float) {
  map(x, y, count, [](float v) {
    const float above = v > 0.0F ? 1.0F : v;  // what is not a number stays so
    return v < 0.0F ? -1.0F : above;
  });
}
void sqrt_f32(const float* x, float* y, std::size_t count, float, float) {
  map(x, y, count, [](float v) { return __builtin_sqrtf(v); });
}
void tanh_f32(const float* x, float* y, std::size_t count, float, float) { map(x, y, count, tanh_of); }

template <class F>
void map_two(const BinaryMapCall& call, F f) {
  const BinaryMapCall it = call;
  if (it.a_step != 0 && it.b_step != 0) {
    for (std::size_t i = 0; i < it.count; ++i) it.y[i] = clamp(f(it.a[i], it.b[i]), it.low, it.high);
  } else if (it.a_step != 0) {
    const float b = *it.b;
    for (std::size_t i = 0; i < it.count; ++i) it.y[i] = clamp(f(it.a[i], b), it.low, it.high);
  } else {
    const float a = *it.a;
    for (std::size_t i = 0; i < it.count; ++i) it.y[i] = clamp(f(a, it.b[i * it.b_step]), it.low, it.high);
  }
}

void add_two(const BinaryMapCall& call) {
  map_two(call, [](float a, float b) { return a + b; });
}
void sub_two(const BinaryMapCall& call) {
  map_two(call, [](float a, float b) { return a - b; });
}
void mul_two(const BinaryMapCall& call) {
  map_two(call, [](float a, float b) { return a * b; });
}
void div_two(const BinaryMapCall& call) {
  map_two(call, [](float a, float b) { return a / b; });
}
void max_two(const BinaryMapCall& call) {
  map_two(call, [](float a, float b) { return a < b ? b : a; });
}
void min_two(const BinaryMapCall& call) {
  map_two(call, [](float a, float b) { return b < a ? b : a; });
}
void prelu_two(const BinaryMapCall& call) {
  map_two(call, [](float a, float b) { return a < 0.0F ? a * b : a; });
}

constexpr MapKernel kernel_for(Isa isa) {
  return {.isa = isa,
          .abs = abs_f32,
          .ceil = ceil_f32,
          .elu = elu_f32,
          .erf = erf_f32,
          .exp = exp_f32,
          .floor = floor_f32,
          .gelu = gelu_f32,
          .hard_sigmoid = hard_sigmoid_f32,
          .hard_swish = hard_swish_f32,
          .leaky_relu = leaky_relu_f32,
          .neg = neg_f32,
          .reciprocal = reciprocal_f32,
          .sigmoid = sigmoid_f32,
          .sign = sign_f32,
          .sqrt = sqrt_f32,
          .tanh = tanh_f32,
          .add = add_two,
          .sub = sub_two,
          .mul = mul_two,
          .div = div_two,
          .max = max_two,
          .min = min_two,
          .prelu = prelu_two};
}

}  // namespace
}  // namespace moru::kernels
