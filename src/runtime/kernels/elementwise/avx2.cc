// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/avx2.h"

#include "runtime/kernels/elementwise/body.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

/// 32 levels of one operand, as in avx512.cc.
struct Operand {
  Operand(std::int32_t zero, float by) : offset(_mm256_set1_ps(static_cast<float>(kOffset + zero))), factor(_mm256_set1_ps(by)) {}

  void read(const std::uint8_t* at, __m256 (&y)[4]) const {
    const __m256i x = load(at);
    const __m256i high_word = _mm256_set1_epi16(0x4B00);
    const __m256i low = _mm256_unpacklo_epi8(x, _mm256_setzero_si256());
    const __m256i high = _mm256_unpackhi_epi8(x, _mm256_setzero_si256());
    const __m256i above[4] = {_mm256_unpacklo_epi16(low, high_word), _mm256_unpackhi_epi16(low, high_word),
                              _mm256_unpacklo_epi16(high, high_word), _mm256_unpackhi_epi16(high, high_word)};
    unroll<4>(MORU_BODY(auto i) { y[i] = _mm256_mul_ps(_mm256_sub_ps(_mm256_castsi256_ps(above[i]), offset), factor); });
  }

  static constexpr std::int32_t kOffset = 1 << 23;
  __m256 offset;
  __m256 factor;
};

void add_levels(const AddU8& call) {
  const Operand a(call.a_zero, call.a_factor);
  const Operand b(call.b_zero, call.b_factor);
  const Levels levels({.low = call.low, .high = call.high, .zero = call.zero});
  for (std::size_t i = 0; i < call.count; i += kRegister) {
    __m256 from_a[4];
    __m256 from_b[4];
    a.read(call.a + i, from_a);
    b.read(call.b + i, from_b);
    __m256i steps[4];
    unroll<4>(MORU_BODY(auto j) { steps[j] = _mm256_cvtps_epi32(_mm256_add_ps(from_a[j], from_b[j])); });
    const __m256i y = levels.pack(steps[0], steps[1], steps[2], steps[3]);
    const auto left = static_cast<int>(call.count - i < kRegister ? call.count - i : kRegister);
    store_first(call.y + i, _mm256_castsi256_si128(y), left);
    if (left > 16) store_first(call.y + i + 16, _mm256_extracti128_si256(y, 1), left - 16);
  }
}

constexpr ElementwiseKernel with_add_levels() {
  ElementwiseKernel kernel = kernel_for(Isa::kAvx2);
  kernel.add_u8 = add_levels;
  return kernel;
}

}  // namespace

extern const ElementwiseKernel kElementwise_avx2;
const ElementwiseKernel kElementwise_avx2 = with_add_levels();

}  // namespace moru::kernels
