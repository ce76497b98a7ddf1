// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/depthwise_f32/depthwise_f32.h"
#include "runtime/kernels/round.h"

namespace moru::kernels {
namespace {

float sum_of(const DepthwiseF32& call, int x, int c) {
  const float* w = call.weights + c;
  float sum = call.bias[c];
  for (int i = 0; i < call.kernel_h; ++i) {
    for (int j = 0; j < call.kernel_w; ++j, w += padded(call.channels)) {
      const std::ptrdiff_t column = std::ptrdiff_t{x} * call.stride + std::ptrdiff_t{j} * call.dilation;
      sum += call.rows[i][column * call.channels + c] * *w;
    }
  }
  return sum;
}

void run_row(const DepthwiseF32& call) {
  float* out = call.out;
  for (int x = 0; x < call.out_width; ++x) {
    for (int c = 0; c < call.channels; ++c) *out++ = clamp(sum_of(call, x, c), call.low, call.high);
  }
}

void run(const DepthwiseF32& call) {
  DepthwiseF32 row = call;
  for (int y = 0; y < call.out_height; ++y, row.rows += call.row_stride, row.out += std::ptrdiff_t{call.out_width} * call.channels) {
    run_row(row);
  }
}

}  // namespace

extern const DepthwiseF32Kernel kDepthwiseF32_scalar;
const DepthwiseF32Kernel kDepthwiseF32_scalar{Isa::kScalar, run};

}  // namespace moru::kernels
