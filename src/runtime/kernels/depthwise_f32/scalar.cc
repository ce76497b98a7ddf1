// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/depthwise_f32/depthwise_f32.h"
#include "runtime/kernels/round.h"

namespace moru::kernels {
namespace {

float sum_of(const DepthwiseF32& call, int y, int x, int c) {
  const float* w = call.weights + c;
  float sum = call.bias[c];
  for (int i = 0; i < call.kernel_h; ++i) {
    const int row = y * call.stride_h - call.pad_top + i * call.dilation_h;
    for (int j = 0; j < call.kernel_w; ++j, w += padded(call.channels)) {
      const int column = x * call.stride_w - call.pad_left + j * call.dilation_w;
      if (row < 0 || row >= call.in_height || column < 0 || column >= call.in_width) continue;
      sum += call.in[(std::ptrdiff_t{row} * call.in_width + column) * call.channels + c] * *w;
    }
  }
  return sum;
}

void run(const DepthwiseF32& call) {
  float* out = call.out;
  for (int y = 0; y < call.out_height; ++y) {
    for (int x = 0; x < call.out_width; ++x) {
      for (int c = 0; c < call.channels; ++c) *out++ = clamp(sum_of(call, y, x, c), call.low, call.high);
    }
  }
}

}  // namespace

extern const DepthwiseF32Kernel kDepthwiseF32_scalar;
const DepthwiseF32Kernel kDepthwiseF32_scalar{Isa::kScalar, run};

}  // namespace moru::kernels
