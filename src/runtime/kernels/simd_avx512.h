// SPDX-License-Identifier: Apache-2.0
// Floats in registers of AVX-512, for the families whose body is written over Simd.
#pragma once

#include "runtime/kernels/intrinsics_avx512.h"

namespace moru::kernels {
namespace {

struct Simd {
  using Vector = __m512;
  using Mask = __mmask16;
  static constexpr int kLanes = 16;
  static constexpr int kPanelBlocks = 3;
  /// Columns that a depthwise convolution does at a time.
  static constexpr int kColumns = 8;

  static Vector all(float x) { return _mm512_set1_ps(x); }
  static Vector load(const float* at) { return _mm512_loadu_ps(at); }
  static Vector load(const float* at, Mask mask) { return _mm512_maskz_loadu_ps(mask, at); }
  static void store(float* to, Vector x) { _mm512_storeu_ps(to, x); }
  static void store(float* to, Vector x, Mask mask) { _mm512_mask_storeu_ps(to, mask, x); }
  static Vector fma(Vector a, Vector b, Vector sum) { return _mm512_fmadd_ps(a, b, sum); }
  static Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  static Vector max(Vector a, Vector b) { return _mm512_max_ps(a, b); }
  static Vector min(Vector a, Vector b) { return _mm512_min_ps(a, b); }
  /// The first `count` lanes, at most all.
  static Mask first(int count) { return static_cast<Mask>(count >= kLanes ? 0xFFFF : (1 << count) - 1); }
  /// The lanes [from, to).
  static Mask between(int from, int to) { return static_cast<Mask>(first(to) & ~first(from)); }
};

}  // namespace
}  // namespace moru::kernels
