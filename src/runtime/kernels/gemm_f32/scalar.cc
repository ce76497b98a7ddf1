// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/gemm_f32/gemm_f32.h"
#include "runtime/kernels/round.h"

namespace moru::kernels {
namespace {

std::size_t packed_bytes(int n, int k) { return sizeof(float) * static_cast<std::size_t>(n) * static_cast<std::size_t>(k); }

void pack(const float* w, int n, int k, std::byte* packed) {
  const auto* bytes = reinterpret_cast<const std::byte*>(w);
  for (std::size_t i = 0; i < packed_bytes(n, k); ++i) packed[i] = bytes[i];
}

void run(const GemmF32& call) {
  const auto* weights = reinterpret_cast<const float*>(call.weights);
  for (int i = 0; i < call.m; ++i) {
    const float* a = call.a + i * call.a_stride;
    float* c = call.c + i * call.c_stride;
    for (int o = 0; o < call.n; ++o) {
      const float* w = weights + static_cast<std::ptrdiff_t>(o) * call.k;
      float sum = call.bias[o];
      for (int k = 0; k < call.k; ++k) sum += a[k] * w[k];
      if (call.residual != nullptr) sum += call.residual[i * call.residual_stride + o];
      c[o] = clamp(sum, call.low, call.high);
    }
  }
}

}  // namespace

extern const GemmF32Kernel kGemmF32_scalar;
const GemmF32Kernel kGemmF32_scalar{Isa::kScalar, packed_bytes, pack, run};

}  // namespace moru::kernels
