// SPDX-License-Identifier: Apache-2.0
// Depthwise convolutions on levels, row by row.
#include "runtime/engine/convolution.h"
#include "runtime/engine/rows.h"

namespace moru::runtime::engine {
namespace {

template <class Call>
class DepthwiseStep final : public Step {
 public:
  using T = std::remove_pointer_t<decltype(Call::out)>;

  DepthwiseStep(const ConvGeometry& geometry, const ConvBuffers& buffers, const Call& call, void (*kernel)(const Call&), T padding,
                BufferId memory)
      : it_(geometry),
        buffers_(buffers),
        call_(call),
        kernel_(kernel),
        padding_(padding),
        memory_(memory),
        rows_at_once_(PaddedRows<T>::most_at_once(geometry)) {}

  void run(const Frame& frame) const noexcept override {
    PaddedRows<T> rows(it_, padding_, frame.at<T>(memory_));
    const T* x = frame.at<const T>(buffers_.x);
    Call call = call_;
    call.out = frame.at<T>(buffers_.y);
    for (int n = 0; n < it_.batch; ++n, x += std::ptrdiff_t{it_.in_h} * it_.in_w * it_.channels) {
      rows.start(x);
      for (int y = 0; y < it_.out_h; y += rows_at_once_) {
        const int count = std::min(rows_at_once_, it_.out_h - y);
        call.rows = rows.at(y, count);
        call.out_height = count;
        kernel_(call);
        call.out += std::ptrdiff_t{count} * it_.out_w * it_.channels;
      }
    }
  }

 private:
  ConvGeometry it_;
  ConvBuffers buffers_;
  Call call_;
  void (*kernel_)(const Call&);
  T padding_;
  BufferId memory_;
  int rows_at_once_;
};

template <class Call>
Status add(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, Call call, void (*kernel)(const Call&),
           typename DepthwiseStep<Call>::T padding) {
  using ThisStep = DepthwiseStep<Call>;
  call.channels = geometry.channels;
  call.kernel_h = geometry.kernel_h;
  call.kernel_w = geometry.kernel_w;
  call.stride = geometry.stride_w;
  call.dilation = geometry.dilation_w;
  call.out_width = geometry.out_w;
  call.row_stride = geometry.stride_h;
  const BufferId memory = lowering.scratch(PaddedRows<typename ThisStep::T>::memory_bytes(geometry));
  lowering.add(std::make_unique<ThisStep>(geometry, buffers, call, kernel, padding, memory), {buffers.x, buffers.y, memory});
  return {};
}

}  // namespace

Status add_depthwise(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, const kernels::DepthwiseU8& call,
                     std::uint8_t padding) {
  return add<kernels::DepthwiseU8>(lowering, geometry, buffers, call, lowering.kernels().depthwise_u8->run, padding);
}

}  // namespace moru::runtime::engine
