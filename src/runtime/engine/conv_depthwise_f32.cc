// SPDX-License-Identifier: Apache-2.0
// Depthwise convolutions on floats: an image a call, or rows of one, which lies as it is.
#include <algorithm>

#include "runtime/engine/convolution.h"

namespace moru::runtime::engine {
namespace {

class DepthwiseF32Step final : public RowStep {
 public:
  DepthwiseF32Step(const ConvGeometry& geometry, const ConvBuffers& buffers, const kernels::DepthwiseF32& call,
                   const kernels::DepthwiseF32Kernel& kernel)
      : RowStep(geometry.batch * geometry.out_h, geometry.batch, reach_of(geometry, buffers, sizeof(float))),
        buffers_(buffers),
        call_(call),
        kernel_(kernel.run) {}

  /// A piece is a row of outputs.
  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    for (int row = begin; row < end;) {
      const int n = row / call_.out_height;
      const int y = row % call_.out_height;
      const int count = std::min(call_.out_height - y, end - row);
      const int top = y * call_.stride_h - call_.pad_top;
      const int above = std::clamp(top, 0, call_.in_height);  // rows of the image that these outputs do not reach
      kernels::DepthwiseF32 call = call_;
      call.in = frame.at<const float>(buffers_.x) + (std::ptrdiff_t{n} * call_.in_height + above) * call_.in_width * call_.channels;
      call.in_height = call_.in_height - above;
      call.pad_top = std::max(-top, 0);
      call.out = frame.at<float>(buffers_.y) + std::ptrdiff_t{row} * call_.out_width * call_.channels;
      call.out_height = count;
      kernel_(call);
      row += count;
    }
  }

  void run_rows(const Frame& frame, int begin, int end) const noexcept override { run_pieces(frame, begin, end); }

 private:
  ConvBuffers buffers_;
  kernels::DepthwiseF32 call_;
  void (*kernel_)(const kernels::DepthwiseF32& call);
};

}  // namespace

Status add_depthwise(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, kernels::DepthwiseF32 call) {
  call.channels = geometry.channels;
  call.kernel_h = geometry.kernel_h;
  call.kernel_w = geometry.kernel_w;
  call.stride_h = geometry.stride_h;
  call.stride_w = geometry.stride_w;
  call.dilation_h = geometry.dilation_h;
  call.dilation_w = geometry.dilation_w;
  call.pad_top = geometry.pad_top;
  call.pad_left = geometry.pad_left;
  call.in_height = geometry.in_h;
  call.in_width = geometry.in_w;
  call.out_height = geometry.out_h;
  call.out_width = geometry.out_w;
  lowering.add(std::make_unique<DepthwiseF32Step>(geometry, buffers, call, *lowering.kernels().depthwise_f32), {buffers.x, buffers.y});
  return {};
}

}  // namespace moru::runtime::engine
