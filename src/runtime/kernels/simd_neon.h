// SPDX-License-Identifier: Apache-2.0
// Floats in registers of NEON, for the families whose body is written over Simd.
#pragma once

#include <arm_neon.h>

namespace moru::kernels {
namespace {

struct Simd {
  using Vector = float32x4_t;
  /// Lanes [from, to).
  struct Mask {
    int from;
    int to;
    bool holds(int lane) const { return from <= lane && lane < to; }
  };
  static constexpr int kLanes = 4;
  static constexpr int kPanelBlocks = 4;
  /// Columns that a depthwise convolution does at a time.
  static constexpr int kColumns = 8;

  static Vector all(float x) { return vdupq_n_f32(x); }
  static Vector load(const float* at) { return vld1q_f32(at); }
  static Vector load(const float* at, Mask mask) {
    if (mask.holds(0) && mask.holds(3)) return load(at);
    Vector x = all(0);
    if (mask.holds(0)) x = vld1q_lane_f32(at, x, 0);
    if (mask.holds(1)) x = vld1q_lane_f32(at + 1, x, 1);
    if (mask.holds(2)) x = vld1q_lane_f32(at + 2, x, 2);
    if (mask.holds(3)) x = vld1q_lane_f32(at + 3, x, 3);
    return x;
  }
  /// Two numbers in each pair of lanes, and one in the first of each beside 0.
  static Vector pairs(const float* at) { return vcombine_f32(vld1_f32(at), vld1_f32(at)); }
  static Vector halves(const float* at) {
    const float32x2_t half = vld1_lane_f32(at, vdup_n_f32(0), 0);
    return vcombine_f32(half, half);
  }
  /// The sums of the pairs of x, then those of y.
  static Vector join(Vector x, Vector y) { return vpaddq_f32(x, y); }
  static void store(float* to, Vector x) { vst1q_f32(to, x); }
  static void store(float* to, Vector x, Mask mask) {
    if (mask.holds(0) && mask.holds(3)) return store(to, x);
    if (mask.holds(0)) vst1q_lane_f32(to, x, 0);
    if (mask.holds(1)) vst1q_lane_f32(to + 1, x, 1);
    if (mask.holds(2)) vst1q_lane_f32(to + 2, x, 2);
    if (mask.holds(3)) vst1q_lane_f32(to + 3, x, 3);
  }
  static Vector fma(Vector a, Vector b, Vector sum) { return vfmaq_f32(sum, a, b); }
  static Vector add(Vector a, Vector b) { return vaddq_f32(a, b); }
  static Vector sub(Vector a, Vector b) { return vsubq_f32(a, b); }
  static Vector mul(Vector a, Vector b) { return vmulq_f32(a, b); }
  static Vector max(Vector a, Vector b) { return vmaxq_f32(a, b); }
  static Vector min(Vector a, Vector b) { return vminq_f32(a, b); }
  /// The first `count` lanes, at most all.
  static Mask first(int count) { return {0, count < kLanes ? count : kLanes}; }
  static Mask between(int from, int to) { return {from, to < kLanes ? to : kLanes}; }
};

}  // namespace
}  // namespace moru::kernels
