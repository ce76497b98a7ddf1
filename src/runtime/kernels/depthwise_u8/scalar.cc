// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/depthwise_u8/depthwise_u8.h"
#include "runtime/kernels/round.h"

namespace moru::kernels {
namespace {

std::size_t packed_bytes(int kernel_h, int kernel_w, int channels) {
  return static_cast<std::size_t>(kernel_h) * static_cast<std::size_t>(kernel_w) * static_cast<std::size_t>(channels);
}

void pack(const std::int8_t* w, int kernel_h, int kernel_w, int channels, std::byte* packed) {
  for (std::size_t i = 0; i < packed_bytes(kernel_h, kernel_w, channels); ++i) packed[i] = static_cast<std::byte>(w[i]);
}

std::int32_t sum_of(const DepthwiseU8& call, const std::uint8_t* const* rows, int x, int c) {
  const auto* w = reinterpret_cast<const std::int8_t*>(call.weights) + c;
  const std::int32_t w_zero = call.w_zero != nullptr ? call.w_zero[c] : 0;
  std::int32_t sum = call.bias[c];
  for (int i = 0; i < call.kernel_h; ++i) {
    for (int j = 0; j < call.kernel_w; ++j, w += call.channels) {
      const std::ptrdiff_t column = std::ptrdiff_t{x} * call.stride + std::ptrdiff_t{j} * call.dilation;
      sum += rows[i][column * call.channels + c] * (*w - w_zero);
    }
  }
  return sum;
}

void run(const DepthwiseU8& call) {
  std::uint8_t* out = call.out;
  for (int y = 0; y < call.out_height; ++y) {
    const std::uint8_t* const* rows = call.rows + y * call.row_stride;
    for (int x = 0; x < call.out_width; ++x) {
      for (int c = 0; c < call.channels; ++c) {
        *out++ = to_level(static_cast<float>(sum_of(call, rows, x, c)) * call.to.factor[c], call.to.low, call.to.high, call.to.zero);
      }
    }
  }
}

}  // namespace

extern const DepthwiseU8Kernel kDepthwiseU8_scalar;
const DepthwiseU8Kernel kDepthwiseU8_scalar{Isa::kScalar, packed_bytes, pack, run};

}  // namespace moru::kernels
