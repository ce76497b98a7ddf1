// SPDX-License-Identifier: Apache-2.0
// Depthwise convolutions on levels, row by row.
#include "runtime/engine/convolution.h"
#include "runtime/engine/rows.h"

namespace moru::runtime::engine {
namespace {

template <class Call>
class DepthwiseStep final : public SplitStep {
 public:
  using T = std::remove_pointer_t<decltype(Call::out)>;

  DepthwiseStep(const ConvGeometry& geometry, const ConvBuffers& buffers, const Call& call, void (*kernel)(const Call&), T padding,
                BufferId memory)
      : SplitStep(geometry.batch * geometry.out_h),
        it_(geometry),
        buffers_(buffers),
        call_(call),
        kernel_(kernel),
        padding_(padding),
        memory_(memory),
        rows_at_once_(PaddedRows<T>::most_at_once(geometry)) {}

  /// A piece is a row of outputs: how many of them a call does changes nothing in them.
  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    PaddedRows<T> rows(it_, padding_, frame.at<T>(memory_));
    const T* x = frame.at<const T>(buffers_.x);
    Call call = call_;
    call.out = frame.at<T>(buffers_.y) + std::ptrdiff_t{begin} * it_.out_w * it_.channels;
    for (int row = begin; row < end;) {
      const int y = row % it_.out_h;
      const int last = std::min(it_.out_h, y + end - row);  // of this image
      if (y == 0 || row == begin) rows.start(x + std::ptrdiff_t{row / it_.out_h} * it_.in_h * it_.in_w * it_.channels, last);
      const int count = std::min(rows_at_once_, last - y);
      call.rows = rows.at(y, count);
      call.out_height = count;
      kernel_(call);
      call.out += std::ptrdiff_t{count} * it_.out_w * it_.channels;
      row += count;
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

Status add_depthwise(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, const kernels::DepthwiseU8Kernel& kernel,
                     const kernels::DepthwiseU8& call, std::uint8_t padding) {
  return add<kernels::DepthwiseU8>(lowering, geometry, buffers, call, kernel.run, padding);
}

}  // namespace moru::runtime::engine
