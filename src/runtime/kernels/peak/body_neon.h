// SPDX-License-Identifier: Apache-2.0
// What neon.cc and neon_dot.cc have in common; each defines add_products(int32x4_t&, int32x4_t), of so many levels, before it includes
// this.
#pragma once

#include <arm_neon.h>

#include "runtime/kernels/peak/body.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

constexpr int kRegister = 16;
/// Sums that do not wait for each other: more than four units of 4 cycles need.
constexpr int kChains = 24;

// Assembly, or the compiler would do only once what is the same each time.
[[gnu::always_inline]] inline void add_products(float32x4_t& sums, float32x4_t a) {
  asm volatile("fmla %0.4s, %1.4s, %1.4s" : "+w"(sums) : "w"(a));
}

template <class Vector, int kProducts>
std::int64_t multiply(std::int64_t rounds) {
  Vector sums[kChains] = {};
  const Vector a = {};
  for (std::int64_t round = 0; round < rounds; ++round) {
    unroll<kChains>(MORU_BODY(auto i) { add_products(sums[i], a); });
  }
  return rounds * kChains * kProducts;
}

}  // namespace
}  // namespace moru::kernels
