// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/gemm_mixed/gemm_mixed.h"
#include "runtime/kernels/round.h"

namespace moru::kernels {
namespace {

/// Bytes of a row: two weights of 4 bits a byte, the first in the low bits.
std::size_t row_bytes(int k, int bits) { return static_cast<std::size_t>(bits == 8 ? k : (k + 1) / 2); }

std::size_t packed_bytes(int n, int k, int bits) { return static_cast<std::size_t>(n) * row_bytes(k, bits); }

void pack(const std::int8_t* w, int n, int k, int bits, std::byte* packed) {
  auto* to = reinterpret_cast<std::uint8_t*>(packed);
  for (int o = 0; o < n; ++o, w += k, to += row_bytes(k, bits)) {
    for (int i = 0; i < k; ++i) {
      if (bits == 8) {
        to[i] = static_cast<std::uint8_t>(w[i]);
      } else if (i % 2 == 0) {
        to[i / 2] = static_cast<std::uint8_t>(w[i] & 15);
      } else {
        to[i / 2] = static_cast<std::uint8_t>(to[i / 2] | (w[i] & 15) << 4);
      }
    }
  }
}

float weight(const std::int8_t* row, int k, int bits) {
  if (bits == 8) return row[k];
  const int nibble = k % 2 == 0 ? row[k / 2] & 15 : row[k / 2] >> 4 & 15;
  return static_cast<float>((nibble ^ 8) - 8);
}

void run(const GemmMixed& call) {
  const int stride = padded(call.n);
  for (int i = 0; i < call.m; ++i) {
    const float* a = call.a + i * call.a_stride;
    const auto* row = reinterpret_cast<const std::int8_t*>(call.weights);
    for (int o = 0; o < call.n; ++o, row += row_bytes(call.k, call.bits)) {
      float sum = call.bias[o];
      const float* scale = call.scale + o;
      const float* zero = call.zero + o;
      for (int first = 0; first < call.k; first += call.block, scale += stride, zero += stride) {
        const int end = call.k - first < call.block ? call.k : first + call.block;
        float part = 0;
        for (int k = first; k < end; ++k) part += a[k] * (weight(row, k, call.bits) - *zero);
        sum += part * *scale;
      }
      if (call.residual != nullptr) sum += call.residual[i * call.residual_stride + o];
      call.c[i * call.c_stride + o] = clamp(sum, call.low, call.high);
    }
  }
}

}  // namespace

extern const GemmMixedKernel kGemmMixed_scalar;
const GemmMixedKernel kGemmMixed_scalar{Isa::kScalar, packed_bytes, pack, run};

}  // namespace moru::kernels
