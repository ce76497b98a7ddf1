// SPDX-License-Identifier: Apache-2.0
// Floats in registers of AVX2, for the families whose body is written over Simd.
#pragma once

#include <immintrin.h>

namespace moru::kernels {
namespace {

struct Simd {
  using Vector = __m256;
  using Mask = __m256i;
  static constexpr int kLanes = 8;
  static constexpr int kPanelBlocks = 2;
  /// Columns that a depthwise convolution does at a time.
  static constexpr int kColumns = 6;

  static Vector all(float x) { return _mm256_set1_ps(x); }
  static Vector load(const float* at) { return _mm256_loadu_ps(at); }
  static Vector load(const float* at, Mask mask) { return _mm256_maskload_ps(at, mask); }
  /// Two numbers in each pair of lanes, and one in the first of each beside 0.
  static Vector pairs(const float* at) { return _mm256_castpd_ps(_mm256_broadcast_sd(reinterpret_cast<const double*>(at))); }
  static Vector halves(const float* at) { return _mm256_blend_ps(_mm256_setzero_ps(), _mm256_broadcast_ss(at), 0x55); }
  /// The sums of the pairs of x, then those of y.
  static Vector join(Vector x, Vector y) {
    const Vector sums = _mm256_add_ps(_mm256_shuffle_ps(x, y, 0x88), _mm256_shuffle_ps(x, y, 0xDD));
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(sums), 0xD8));
  }
  static void store(float* to, Vector x) { _mm256_storeu_ps(to, x); }
  static void store(float* to, Vector x, Mask mask) { _mm256_maskstore_ps(to, mask, x); }
  static Vector fma(Vector a, Vector b, Vector sum) { return _mm256_fmadd_ps(a, b, sum); }
  static Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  static Vector sub(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
  static Vector mul(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
  static Vector max(Vector a, Vector b) { return _mm256_max_ps(a, b); }
  static Vector min(Vector a, Vector b) { return _mm256_min_ps(a, b); }
  /// The first `count` lanes, at most all.
  static Mask first(int count) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }
  /// The lanes [from, to).
  static Mask between(int from, int to) { return _mm256_andnot_si256(first(from), first(to)); }
};

}  // namespace
}  // namespace moru::kernels
