// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/gemm_f32/gemm_f32.h"
#include "runtime/kernels/round.h"

namespace moru::kernels {
namespace {

std::size_t packed_bytes(int n, int lines, int k) {
  return sizeof(float) * static_cast<std::size_t>(n) * static_cast<std::size_t>(lines) * static_cast<std::size_t>(k);
}

void pack(const float* w, int n, int lines, int k, std::byte* packed) {
  const auto* bytes = reinterpret_cast<const std::byte*>(w);
  for (std::size_t i = 0; i < packed_bytes(n, lines, k); ++i) packed[i] = bytes[i];
}

void pack_strided(const float* w, std::ptrdiff_t n_stride, std::ptrdiff_t k_stride, int n, int k, std::byte* packed) {
  auto* to = reinterpret_cast<float*>(packed);
  for (int o = 0; o < n; ++o) {
    for (int i = 0; i < k; ++i) *to++ = w[o * n_stride + i * k_stride];
  }
}

void run(const GemmF32& call) {
  for (int i = 0; i < call.m; ++i) {
    float* c = call.c + i * call.c_stride;
    const auto* w = reinterpret_cast<const float*>(call.weights);
    for (int o = 0; o < call.n; ++o) {
      float sum = call.bias[o];
      for (int line = 0; line < call.line_count; ++line, w += call.k) {
        const float* a = (call.lines != nullptr ? call.lines[line] : call.a) + i * call.a_stride;
        for (int k = 0; k < call.k; ++k) sum += a[k] * w[k];
      }
      if (call.residual != nullptr) sum += call.residual[i * call.residual_stride + o];
      c[o] = clamp(sum, call.low, call.high);
    }
  }
}

}  // namespace

extern const GemmF32Kernel kGemmF32_scalar;
const GemmF32Kernel kGemmF32_scalar{Isa::kScalar, packed_bytes, pack, pack_strided, run};

}  // namespace moru::kernels
