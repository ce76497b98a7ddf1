// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/avx512.h"

#include "runtime/kernels/elementwise/body.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

/// 64 levels of one operand: those that pack() puts together again, as (level - zero) * factor.
struct Operand {
  Operand(std::int32_t zero, float by) : offset(_mm512_set1_ps(static_cast<float>(kOffset + zero))), factor(_mm512_set1_ps(by)) {}

  /// A level in the lowest byte of a float's bits, below those of 2^23, is 2^23 more than it. Subtracting is exact.
  void read(const std::uint8_t* at, __m512 (&y)[4]) const {
    const __m512i x = load(at);
    const __m512i high_byte = _mm512_set1_epi32(0x4B000000);
    unroll<4>(MORU_BODY(auto i) {
      const __m512i from =
          _mm512_broadcast_i32x4(_mm_setr_epi8(4 * i, -1, -1, -1, 4 * i + 1, -1, -1, -1, 4 * i + 2, -1, -1, -1, 4 * i + 3, -1, -1, -1));
      const __m512 above = _mm512_castsi512_ps(_mm512_mask_shuffle_epi8(high_byte, 0x7777777777777777, x, from));
      y[i] = _mm512_mul_ps(_mm512_sub_ps(above, offset), factor);
    });
  }

  static constexpr std::int32_t kOffset = 1 << 23;
  __m512 offset;
  __m512 factor;
};

void add_levels(const AddU8& call) {
  const Operand a(call.a_zero, call.a_factor);
  const Operand b(call.b_zero, call.b_factor);
  const Levels levels({.low = call.low, .high = call.high, .zero = call.zero});
  for (std::size_t i = 0; i < call.count; i += kRegister) {
    __m512 from_a[4];
    __m512 from_b[4];
    a.read(call.a + i, from_a);
    b.read(call.b + i, from_b);
    __m512i steps[4];
    unroll<4>(MORU_BODY(auto j) { steps[j] = _mm512_cvtps_epi32(_mm512_add_ps(from_a[j], from_b[j])); });
    const __m512i y = levels.pack(steps[0], steps[1], steps[2], steps[3]);
    if (call.count - i >= kRegister) {
      _mm512_storeu_si512(call.y + i, y);
    } else {
      _mm512_mask_storeu_epi8(call.y + i, first_bytes(static_cast<int>(call.count - i)), y);
    }
  }
}

constexpr ElementwiseKernel with_add_levels() {
  ElementwiseKernel kernel = kernel_for(Isa::kAvx512);
  kernel.add_u8 = add_levels;
  return kernel;
}

}  // namespace

extern const ElementwiseKernel kElementwise_avx512;
const ElementwiseKernel kElementwise_avx512 = with_add_levels();

}  // namespace moru::kernels
