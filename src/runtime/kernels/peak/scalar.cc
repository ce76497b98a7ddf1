// SPDX-License-Identifier: Apache-2.0
// Plain C++, out of which the compiler makes what every machine of this architecture has.
#include "runtime/kernels/peak/body.h"

namespace moru::kernels {
namespace {

constexpr int kRegister = 16;

std::int64_t multiply_floats(std::int64_t rounds) {
  typedef float Floats __attribute__((vector_size(kRegister)));  // NOLINT(modernize-use-using): GCC takes no attribute in a using
  constexpr int kChains = 12;
  Floats values[kChains] = {};
  Floats factor = {};
  Floats term = {};
  asm volatile("" : "+m"(factor), "+m"(term));  // numbers that the compiler does not know
  for (std::int64_t round = 0; round < rounds; ++round) {
    // Each product by another number, or the compiler would make one for all.
    for (Floats& value : values) value = value * factor + term;
  }
  float all = 0;
  for (const Floats& value : values) all += value[0];
  asm volatile("" : : "m"(all));
  return rounds * kChains * (kRegister / static_cast<int>(sizeof(float)));
}

/// As gemm_u8 in plain C++ does it: sums of a row and of a row of weights, both in the nearest cache.
std::int64_t multiply_levels(std::int64_t rounds) {
  constexpr int kLength = 1024;
  std::uint8_t a[kLength] = {};
  std::int8_t w[kLength] = {};
  for (std::int64_t round = 0; round < rounds; ++round) {
    asm volatile("" : "+m"(a), "+m"(w));
    std::int32_t sum = 0;
    for (int k = 0; k < kLength; ++k) sum += a[k] * w[k];
    asm volatile("" : : "r"(sum));
  }
  return rounds * kLength;
}

}  // namespace

extern const PeakKernel kPeak_scalar;
const PeakKernel kPeak_scalar{Isa::kScalar,    "products and sums of C++", "products and sums of C++", add_in_a_row, multiply_floats,
                              multiply_levels, read_blocks<kRegister>};

}  // namespace moru::kernels
