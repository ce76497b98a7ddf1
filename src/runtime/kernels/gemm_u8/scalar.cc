// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/gemm_u8/gemm_u8.h"
#include "runtime/kernels/round.h"

namespace moru::kernels {
namespace {

std::size_t packed_bytes(int n, int lines, int k) {
  return static_cast<std::size_t>(n) * static_cast<std::size_t>(lines) * static_cast<std::size_t>(k);
}

void pack(const std::int8_t* w, int n, int lines, int k, std::byte* packed) {
  for (std::size_t i = 0; i < packed_bytes(n, lines, k); ++i) packed[i] = static_cast<std::byte>(w[i]);
}

void run_once(const GemmU8& call) {
  for (int i = 0; i < call.m; ++i) {
    std::uint8_t* c = call.c + i * call.c_stride;
    const auto* w = reinterpret_cast<const std::int8_t*>(call.weights);
    for (int o = 0; o < call.n; ++o) {
      std::int32_t sum = call.bias[o];
      if (call.row_sums != nullptr) sum -= call.w_zero[o] * call.row_sums[i];
      for (int line = 0; line < call.line_count; ++line, w += call.k) {
        const std::uint8_t* a = (call.lines != nullptr ? call.lines[line] : call.a) + i * call.a_stride;
        for (int k = 0; k < call.k; ++k) sum += a[k] * w[k];
      }
      c[o] = to_level(static_cast<float>(sum) * call.to.factor[o], call.to.low, call.to.high, call.to.zero);
    }
  }
}

void run(const GemmU8& call) {
  GemmU8 now = call;
  for (int i = 0; i < call.times; ++i) {
    run_once(now);
    if (now.lines != nullptr) now.lines += call.line_step;
    now.c += call.m * call.c_stride;
  }
}

}  // namespace

extern const GemmU8Kernel kGemmU8_scalar;
const GemmU8Kernel kGemmU8_scalar{Isa::kScalar, packed_bytes, pack, run};

}  // namespace moru::kernels
