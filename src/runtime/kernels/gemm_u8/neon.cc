// SPDX-License-Identifier: Apache-2.0
// Levels and weights are made words when they are loaded; a product takes one level, times the weights of 8 outputs.
#include <arm_neon.h>

#include "runtime/kernels/common.h"

namespace moru::kernels {
namespace {

constexpr int kDepth = 1;
constexpr int kOffset = 0;
constexpr int kSteps = 8;

using Row = int16x8_t;
using Weights = int16x8_t;

[[gnu::always_inline]] inline Row load_row(const std::uint8_t* a) { return vreinterpretq_s16_u16(vmovl_u8(vld1_u8(a))); }
[[gnu::always_inline]] inline Weights load_weights(const std::byte* w) {
  return vmovl_s8(vld1_s8(reinterpret_cast<const std::int8_t*>(w)));
}

template <int kAt>
[[gnu::always_inline]] inline void add_products(int32x4_t* sums, Row row, Weights weights) {
  sums[0] = vmlal_laneq_s16(sums[0], vget_low_s16(weights), row, kAt);
  sums[1] = vmlal_high_laneq_s16(sums[1], weights, row, kAt);
}

}  // namespace
}  // namespace moru::kernels

#include "runtime/kernels/gemm_u8/body_neon.h"

namespace moru::kernels {

extern const GemmU8Kernel kGemmU8_neon;
const GemmU8Kernel kGemmU8_neon{Isa::kNeon, packed_bytes, pack, run};

}  // namespace moru::kernels
