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
  static void store(float* to, Vector x) { _mm256_storeu_ps(to, x); }
  static void store(float* to, Vector x, Mask mask) { _mm256_maskstore_ps(to, mask, x); }
  static Vector fma(Vector a, Vector b, Vector sum) { return _mm256_fmadd_ps(a, b, sum); }
  static Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  static Vector max(Vector a, Vector b) { return _mm256_max_ps(a, b); }
  static Vector min(Vector a, Vector b) { return _mm256_min_ps(a, b); }
  /// The first `count` lanes, at most all.
  static Mask first(int count) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }
  /// The lanes [from, to).
  static Mask between(int from, int to) { return _mm256_andnot_si256(first(from), first(to)); }
};

}  // namespace
}  // namespace moru::kernels
