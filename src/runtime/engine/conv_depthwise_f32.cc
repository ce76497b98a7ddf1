// SPDX-License-Identifier: Apache-2.0
// Depthwise convolutions on floats: an image a call, which lies as it is.
#include "runtime/engine/convolution.h"

namespace moru::runtime::engine {
namespace {

class DepthwiseF32Step final : public Step {
 public:
  DepthwiseF32Step(const ConvBuffers& buffers, int batch, const kernels::DepthwiseF32& call, const kernels::DepthwiseF32Kernel& kernel)
      : buffers_(buffers), batch_(batch), call_(call), kernel_(kernel.run) {}

  void run(const Frame& frame) const noexcept override {
    kernels::DepthwiseF32 call = call_;
    call.in = frame.at<const float>(buffers_.x);
    call.out = frame.at<float>(buffers_.y);
    for (int n = 0; n < batch_; ++n) {
      kernel_(call);
      call.in += std::ptrdiff_t{call.in_height} * call.in_width * call.channels;
      call.out += std::ptrdiff_t{call.out_height} * call.out_width * call.channels;
    }
  }

 private:
  ConvBuffers buffers_;
  int batch_;
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
  lowering.add(std::make_unique<DepthwiseF32Step>(buffers, geometry.batch, call, *lowering.kernels().depthwise_f32),
               {buffers.x, buffers.y});
  return {};
}

}  // namespace moru::runtime::engine
