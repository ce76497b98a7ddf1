// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/hybrid/hybrid.h"
#include "runtime/kernels/hybrid/levels.h"
#include "runtime/kernels/round.h"

namespace moru::kernels {
namespace {

std::size_t packed_bytes(int n, int k) { return static_cast<std::size_t>(n) * static_cast<std::size_t>(k); }

void pack(const std::int8_t* w, int n, int k, std::byte* packed) {
  for (std::size_t i = 0; i < packed_bytes(n, k); ++i) packed[i] = static_cast<std::byte>(w[i]);
}

void run(const HybridProduct& call) {
  const auto* a = reinterpret_cast<const std::int8_t*>(call.a);
  for (int i = 0; i < call.m; ++i, a += call.a_stride) {
    const auto* w = reinterpret_cast<const std::int8_t*>(call.weights);
    for (int o = 0; o < call.n; ++o, w += call.k) {
      std::int32_t sum = 0;
      for (int k = 0; k < call.k; ++k) sum += std::int32_t{a[k]} * w[k];
      const float real = static_cast<float>(sum) * call.scale[o] * call.step + call.bias[o];
      call.c[i * call.c_stride + o] = clamp(real, call.low, call.high);
    }
  }
}

}  // namespace

extern const HybridKernel kHybrid_scalar;
const HybridKernel kHybrid_scalar{Isa::kScalar, 1, 0, packed_bytes, pack, run, largest, quantize<std::int8_t, 0>};

}  // namespace moru::kernels
