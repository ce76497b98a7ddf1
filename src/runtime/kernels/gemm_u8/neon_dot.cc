// SPDX-License-Identifier: Apache-2.0
// A product takes four levels, times the weights of 4 outputs. It wants both signed, so levels are made 128 less, and what that takes from
// the sums is given back when they start.
#include <arm_neon.h>

#include "runtime/kernels/common.h"

namespace moru::kernels {
namespace {

constexpr int kDepth = 4;
constexpr int kOffset = 128;
constexpr int kSteps = 4;

using Row = int8x16_t;
using Weights = int8x16x2_t;

[[gnu::always_inline]] inline Row load_row(const std::uint8_t* a) {
  return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(a), vdupq_n_u8(kOffset)));
}
[[gnu::always_inline]] inline Weights load_weights(const std::byte* w) {
  const auto* at = reinterpret_cast<const std::int8_t*>(w);
  return {{vld1q_s8(at), vld1q_s8(at + 16)}};
}

template <int kAt>
[[gnu::always_inline]] inline void add_products(int32x4_t* sums, Row row, Weights weights) {
  sums[0] = vdotq_laneq_s32(sums[0], weights.val[0], row, kAt);
  sums[1] = vdotq_laneq_s32(sums[1], weights.val[1], row, kAt);
}

}  // namespace
}  // namespace moru::kernels

#include "runtime/kernels/gemm_u8/body_neon.h"

namespace moru::kernels {

extern const GemmU8Kernel kGemmU8_neon_dot;
const GemmU8Kernel kGemmU8_neon_dot{Isa::kNeonDot, packed_bytes, pack, run};

}  // namespace moru::kernels
