// SPDX-License-Identifier: Apache-2.0
// Depthwise convolutions on levels, row by row.
#include "runtime/engine/convolution.h"
#include "runtime/engine/rows.h"

namespace moru::runtime::engine {
namespace {

using kernels::DepthwiseU8;

class DepthwiseStep final : public RowStep {
 public:
  DepthwiseStep(const ConvGeometry& geometry, const ConvBuffers& buffers, const DepthwiseU8& call, const kernels::DepthwiseU8Kernel& kernel,
                std::uint8_t padding, BufferId memory)
      : RowStep(geometry.batch * geometry.out_h, geometry.batch, reach_of(geometry, buffers, 1)),
        it_(geometry),
        buffers_(buffers),
        call_(call),
        kernel_(kernel.run),
        padding_(padding),
        memory_(memory),
        rows_at_once_(PaddedRows<std::uint8_t>::most_at_once(geometry)) {}

  /// A piece is a row of outputs: how many of them a call does changes nothing in them.
  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    PaddedRows<std::uint8_t> rows(it_, padding_, frame.at<std::uint8_t>(memory_));
    const auto* x = frame.at<const std::uint8_t>(buffers_.x);
    DepthwiseU8 call = call_;
    call.out = frame.at<std::uint8_t>(buffers_.y) + std::ptrdiff_t{begin} * it_.out_w * it_.channels;
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

  void run_rows(const Frame& frame, int begin, int end) const noexcept override { run_pieces(frame, begin, end); }

 private:
  ConvGeometry it_;
  ConvBuffers buffers_;
  DepthwiseU8 call_;
  void (*kernel_)(const DepthwiseU8& call);
  std::uint8_t padding_;
  BufferId memory_;
  int rows_at_once_;
};

}  // namespace

Status add_depthwise(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, const kernels::DepthwiseU8Kernel& kernel,
                     DepthwiseU8 call, std::uint8_t padding) {
  call.channels = geometry.channels;
  call.kernel_h = geometry.kernel_h;
  call.kernel_w = geometry.kernel_w;
  call.stride = geometry.stride_w;
  call.dilation = geometry.dilation_w;
  call.out_width = geometry.out_w;
  call.row_stride = geometry.stride_h;
  const BufferId memory = lowering.scratch(PaddedRows<std::uint8_t>::memory_bytes(geometry));
  lowering.add(std::make_unique<DepthwiseStep>(geometry, buffers, call, kernel, padding, memory), {buffers.x, buffers.y, memory});
  return {};
}

}  // namespace moru::runtime::engine
