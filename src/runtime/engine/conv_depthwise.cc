// SPDX-License-Identifier: Apache-2.0
// Depthwise convolutions, row by row. Where columns are padded, rows of x are copied into a ring of padded rows, each once.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "runtime/engine/convolution.h"

namespace moru::runtime::engine {
namespace {

constexpr int kMostRows = 64;

template <class Call>
class DepthwiseStep final : public Step {
 public:
  using T = std::remove_pointer_t<decltype(Call::out)>;

  DepthwiseStep(const ConvGeometry& geometry, const ConvBuffers& buffers, const Call& call, void (*kernel)(const Call&), T padding,
                BufferId ring)
      : it_(geometry), buffers_(buffers), call_(call), kernel_(kernel), padding_(padding), ring_(ring) {}

  /// Columns that the outputs of a row read, padding included.
  static int read_columns(const ConvGeometry& it) { return (it.out_w - 1) * it.stride_w + (it.kernel_w - 1) * it.dilation_w + 1; }
  /// Rows that an output row reaches over.
  static int ring_rows(const ConvGeometry& it) { return (it.kernel_h - 1) * it.dilation_h + 1; }
  static std::size_t row_elements(const ConvGeometry& it) {
    return static_cast<std::size_t>(std::max(read_columns(it), it.in_w)) * static_cast<std::size_t>(it.channels);
  }

  void run(const Frame& frame) const noexcept override {
    Rows rows{.ring = frame.at<T>(ring_), .outside = frame.at<T>(ring_) + static_cast<std::ptrdiff_t>(ring_rows(it_) * row_elements(it_))};
    std::fill_n(rows.outside, row_elements(it_), padding_);
    const bool pads = it_.pad_left > 0 || read_columns(it_) > it_.in_w;
    if (pads) std::fill_n(rows.ring, static_cast<std::size_t>(ring_rows(it_)) * row_elements(it_), padding_);
    const T* x = frame.at<const T>(buffers_.x);
    Call call = call_;
    call.out = frame.at<T>(buffers_.y);
    std::array<const T*, kMostRows> pointers;
    call.rows = pointers.data();
    for (int n = 0; n < it_.batch; ++n, x += std::ptrdiff_t{it_.in_h} * line()) {
      rows.next = 0;
      for (int y = 0; y < it_.out_h; ++y, call.out += std::ptrdiff_t{it_.out_w} * it_.channels) {
        const int top = y * it_.stride_h - it_.pad_top;
        if (pads) fill_ring(rows, x, top);
        for (int i = 0; i < it_.kernel_h; ++i) {
          const int at = top + i * it_.dilation_h;
          const bool outside = at < 0 || at >= it_.in_h;
          pointers[static_cast<std::size_t>(i)] = outside ? rows.outside : pads ? slot(rows, at) : x + std::ptrdiff_t{at} * line();
        }
        kernel_(call);
      }
    }
  }

 private:
  struct Rows {
    T* ring;
    T* outside;    ///< a row of padding
    int next = 0;  ///< the first row of x that is not in the ring yet
  };

  std::ptrdiff_t line() const { return std::ptrdiff_t{it_.in_w} * it_.channels; }
  T* slot(const Rows& rows, int y) const {
    return rows.ring + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(y % ring_rows(it_)) * row_elements(it_));
  }
  void fill_ring(Rows& rows, const T* x, int top) const noexcept {
    const int end = std::min(top + ring_rows(it_), it_.in_h);
    const int columns = std::max(0, std::min(it_.in_w, read_columns(it_) - it_.pad_left));
    for (rows.next = std::max(rows.next, top); rows.next < end; ++rows.next) {
      std::copy_n(x + rows.next * line(), std::ptrdiff_t{columns} * it_.channels,
                  slot(rows, rows.next) + std::ptrdiff_t{it_.pad_left} * it_.channels);
    }
  }

  ConvGeometry it_;
  ConvBuffers buffers_;
  Call call_;
  void (*kernel_)(const Call&);
  T padding_;
  BufferId ring_;
};

template <class Call>
Status add(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, Call call, void (*kernel)(const Call&),
           typename DepthwiseStep<Call>::T padding) {
  using ThisStep = DepthwiseStep<Call>;
  if (geometry.kernel_h > kMostRows) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("found a depthwise kernel of {} rows, expected at most {}", geometry.kernel_h, kMostRows));
  }
  call.channels = geometry.channels;
  call.kernel_h = geometry.kernel_h;
  call.kernel_w = geometry.kernel_w;
  call.stride = geometry.stride_w;
  call.dilation = geometry.dilation_w;
  call.out_width = geometry.out_w;
  const auto rows = static_cast<std::size_t>(ThisStep::ring_rows(geometry)) + 1;
  const BufferId ring = lowering.scratch(rows * ThisStep::row_elements(geometry) * sizeof(typename ThisStep::T));
  lowering.add(std::make_unique<ThisStep>(geometry, buffers, call, kernel, padding, ring),
               std::vector<BufferId>{buffers.x, buffers.y, ring});
  return {};
}

}  // namespace

Status add_depthwise(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, const kernels::DepthwiseF32& call) {
  return add<kernels::DepthwiseF32>(lowering, geometry, buffers, call, lowering.kernels().depthwise_f32->run, 0.0F);
}

Status add_depthwise(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, const kernels::DepthwiseU8& call,
                     std::uint8_t padding) {
  return add<kernels::DepthwiseU8>(lowering, geometry, buffers, call, lowering.kernels().depthwise_u8->run, padding);
}

}  // namespace moru::runtime::engine
