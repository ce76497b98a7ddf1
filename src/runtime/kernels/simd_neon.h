// SPDX-License-Identifier: Apache-2.0
// Floats in registers of NEON, for the families whose body is written over Simd.
#pragma once

#include <arm_neon.h>

namespace moru::kernels {
namespace {

struct Simd {
  using Vector = float32x4_t;
  using Mask = int;  ///< so many lanes, from the first on
  static constexpr int kLanes = 4;
  static constexpr int kPanelBlocks = 4;
  /// Columns that a depthwise convolution does at a time.
  static constexpr int kColumns = 8;

  static Vector all(float x) { return vdupq_n_f32(x); }
  static Vector load(const float* at) { return vld1q_f32(at); }
  static Vector load(const float* at, Mask mask) {
    if (mask == kLanes) return load(at);
    const float32x2_t none = vdup_n_f32(0);
    if (mask == 1) return vcombine_f32(vld1_lane_f32(at, none, 0), none);
    return vcombine_f32(vld1_f32(at), mask == 2 ? none : vld1_lane_f32(at + 2, none, 0));
  }
  static void store(float* to, Vector x) { vst1q_f32(to, x); }
  static void store(float* to, Vector x, Mask mask) {
    if (mask == kLanes) return store(to, x);
    if (mask == 1) return vst1q_lane_f32(to, x, 0);
    vst1_f32(to, vget_low_f32(x));
    if (mask == 3) vst1q_lane_f32(to + 2, x, 2);
  }
  static Vector fma(Vector a, Vector b, Vector sum) { return vfmaq_f32(sum, a, b); }
  static Vector add(Vector a, Vector b) { return vaddq_f32(a, b); }
  static Vector max(Vector a, Vector b) { return vmaxq_f32(a, b); }
  static Vector min(Vector a, Vector b) { return vminq_f32(a, b); }
  /// The first `count` lanes, at most all.
  static Mask first(int count) { return count < kLanes ? count : kLanes; }
};

}  // namespace
}  // namespace moru::kernels
