// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/common.h"

namespace moru::kernels {
namespace {

/// One float a register.
struct Simd {
  using Vector = float;
  using Mask = bool;
  static constexpr int kLanes = 1;

  static Vector all(float x) { return x; }
  static Vector load(const float* at) { return *at; }
  static Vector load(const float* at, Mask /*mask*/) { return *at; }
  static void store(float* to, Vector x) { *to = x; }
  static void store(float* to, Vector x, Mask /*mask*/) { *to = x; }
  static Vector fma(Vector a, Vector b, Vector sum) { return a * b + sum; }
  static Vector add(Vector a, Vector b) { return a + b; }
  static Vector sub(Vector a, Vector b) { return a - b; }
  static Vector max(Vector a, Vector b) { return a > b ? a : b; }
  static Vector min(Vector a, Vector b) { return a < b ? a : b; }
  static Mask first(int /*count*/) { return true; }
};

}  // namespace
}  // namespace moru::kernels

// The body is over Simd.
#include "runtime/kernels/winograd_f32/body.h"

namespace moru::kernels {

extern const WinogradF32Kernel kWinogradF32_scalar;
const WinogradF32Kernel kWinogradF32_scalar{Isa::kScalar, to_tiles, from_tiles};

}  // namespace moru::kernels
