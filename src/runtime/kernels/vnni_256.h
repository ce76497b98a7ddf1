// SPDX-License-Identifier: Apache-2.0
// What the AVX-VNNI files of several families share beside avx2.h.
#pragma once

#include "runtime/kernels/avx2.h"

namespace moru::kernels {
namespace {

/// sums += four products of `levels` and `weights` in each lane, without saturation. Not the intrinsic: with that, GCC 12 moves each sum to
/// another register and back. {vex}: without it the assembler takes AVX-512's coding, which processors with AVX-VNNI alone do not know.
[[maybe_unused, gnu::always_inline]] inline void add_products(__m256i& sums, __m256i levels, __m256i weights) {
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums) : "x"(levels), "x"(weights));
}

}  // namespace
}  // namespace moru::kernels
