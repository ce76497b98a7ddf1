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
  /// Two numbers in each pair of lanes, and one in the first of each beside 0.
  static Vector pairs(const float* at) {
    return _mm512_castpd_ps(_mm512_broadcastsd_pd(_mm_loadl_pd(_mm_setzero_pd(), reinterpret_cast<const double*>(at))));
  }
  static Vector halves(const float* at) { return _mm512_maskz_broadcastss_ps(0x5555, _mm_load_ss(at)); }
  /// The sums of the pairs of x, then those of y.
  static Vector join(Vector x, Vector y) {
    const Vector sums = _mm512_add_ps(_mm512_shuffle_ps(x, y, 0x88), _mm512_shuffle_ps(x, y, 0xDD));
    return _mm512_castpd_ps(_mm512_permutexvar_pd(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), _mm512_castps_pd(sums)));
  }
  static void store(float* to, Vector x) { _mm512_storeu_ps(to, x); }
  static void store(float* to, Vector x, Mask mask) { _mm512_mask_storeu_ps(to, mask, x); }
  static Vector fma(Vector a, Vector b, Vector sum) { return _mm512_fmadd_ps(a, b, sum); }
  static Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  static Vector sub(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
  static Vector mul(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
  static Vector max(Vector a, Vector b) { return _mm512_max_ps(a, b); }
  static Vector min(Vector a, Vector b) { return _mm512_min_ps(a, b); }
  /// The first `count` lanes, at most all.
  static Mask first(int count) { return static_cast<Mask>(count >= kLanes ? 0xFFFF : (1 << count) - 1); }
  /// The lanes [from, to).
  static Mask between(int from, int to) { return static_cast<Mask>(first(to) & ~first(from)); }
};

}  // namespace
}  // namespace moru::kernels
