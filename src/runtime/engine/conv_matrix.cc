// SPDX-License-Identifier: Apache-2.0
// Convolutions as rows of a matrix product: a pointwise one on x as it lies, others on rows gathered from it, a few output rows at a time.
#include <algorithm>
#include <cstring>

#include "runtime/engine/convolution.h"

namespace moru::runtime::engine {
namespace {

/// Bytes of gathered rows that stay in the first cache beside the weights.
constexpr std::size_t kPanelBytes = 24576;

/// Copies in blocks of 16 bytes: up to 15 more than asked for are read and written, which the slack behind buffers allows, and what comes
/// next is written later.
void copy_over(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  constexpr std::size_t kBlock = 16;
  for (std::size_t i = 0; i < bytes; i += kBlock) std::memcpy(to + i, from + i, kBlock);
}

template <class T>
class Gather {
 public:
  Gather(const ConvGeometry& geometry, std::ptrdiff_t row, T padding) : it_(geometry), row_(row), padding_(padding) {}

  /// One row of outputs: out_w rows of taps, each the channels of a group from `channel` on.
  void output_row(const T* image, int out_y, int channel, T* to) const noexcept {
    const bool runs = it_.group == 1 && it_.dilation_w == 1;
    for (int x = 0; x < it_.out_w; ++x, to += row_) {
      const int left = x * it_.stride_w - it_.pad_left;
      const bool inside = left >= 0 && left + (it_.kernel_w - 1) * it_.dilation_w < it_.in_w;
      T* tap_row = to;
      for (int i = 0; i < it_.kernel_h; ++i, tap_row += it_.kernel_w * it_.group_channels()) {
        const int y = out_y * it_.stride_h - it_.pad_top + i * it_.dilation_h;
        const T* line = y < 0 || y >= it_.in_h ? nullptr : image + std::ptrdiff_t{y} * it_.in_w * it_.channels + channel;
        if (line == nullptr) {
          std::fill_n(tap_row, it_.kernel_w * it_.group_channels(), padding_);
        } else if (runs && inside) {
          copy_over(reinterpret_cast<std::byte*>(tap_row), reinterpret_cast<const std::byte*>(line + std::ptrdiff_t{left} * it_.channels),
                    static_cast<std::size_t>(it_.kernel_w * it_.channels) * sizeof(T));
        } else {
          taps(line, left, tap_row);
        }
      }
    }
  }

 private:
  void taps(const T* line, int left, T* to) const noexcept {
    for (int j = 0; j < it_.kernel_w; ++j, to += it_.group_channels()) {
      const int x = left + j * it_.dilation_w;
      if (x < 0 || x >= it_.in_w) {
        std::fill_n(to, it_.group_channels(), padding_);
      } else {
        std::copy_n(line + std::ptrdiff_t{x} * it_.channels, it_.group_channels(), to);
      }
    }
  }

  ConvGeometry it_;
  std::ptrdiff_t row_;
  T padding_;
};

template <class Matrix>
class ConvStep final : public Step {
 public:
  using T = typename Matrix::Element;
  struct Scratch {
    BufferId panel = -1;
    BufferId row_sums = -1;
  };

  ConvStep(const ConvGeometry& geometry, const ConvBuffers& buffers, std::vector<Matrix> matrices, Scratch scratch, int rows_at_once,
           std::ptrdiff_t row, T padding, const kernels::Kernels& kernels)
      : it_(geometry),
        buffers_(buffers),
        matrices_(std::move(matrices)),
        scratch_(scratch),
        rows_at_once_(rows_at_once),
        row_(row),
        gather_(geometry, row, padding),
        sum_columns_u8_(kernels.elementwise->sum_columns_u8) {}

  void run(const Frame& frame) const noexcept override {
    const T* x = frame.at<const T>(buffers_.x);
    const std::ptrdiff_t image = std::ptrdiff_t{it_.in_h} * it_.in_w * it_.channels;
    const int places = it_.out_h * it_.out_w;
    for (int n = 0; n < it_.batch; ++n, x += image) {
      if (scratch_.panel < 0) {
        products(frame, x, it_.channels, it_.group_channels(), n * places, places);
        continue;
      }
      for (int y = 0; y < it_.out_h; y += rows_at_once_) gathered(frame, x, n * places, y, std::min(rows_at_once_, it_.out_h - y));
    }
  }

 private:
  void gathered(const Frame& frame, const T* x, int first, int out_y, int rows) const noexcept {
    T* panel = frame.at<T>(scratch_.panel);
    for (int g = 0; g < it_.group; ++g) {
      for (int i = 0; i < rows; ++i)
        gather_.output_row(x, out_y + i, g * it_.group_channels(), panel + std::ptrdiff_t{i} * it_.out_w * row_);
      product(frame, static_cast<std::size_t>(g), panel, row_, first + out_y * it_.out_w, rows * it_.out_w);
    }
  }

  void products(const Frame& frame, const T* a, std::ptrdiff_t a_stride, std::ptrdiff_t group_step, int first, int m) const noexcept {
    for (std::size_t g = 0; g < matrices_.size(); ++g, a += group_step) product(frame, g, a, a_stride, first, m);
  }

  /// Outputs [first, first + m) of group g.
  void product(const Frame& frame, std::size_t g, const T* a, std::ptrdiff_t a_stride, int first, int m) const noexcept {
    const Matrix& matrix = matrices_[g];
    const std::ptrdiff_t at = std::ptrdiff_t{first} * it_.outputs + static_cast<std::ptrdiff_t>(g) * it_.group_outputs();
    const std::int32_t* row_sums = nullptr;
    if constexpr (sizeof(T) == 1) {
      if (scratch_.row_sums >= 0) {
        auto* sums = frame.at<std::int32_t>(scratch_.row_sums);
        sum_columns_u8_(a, static_cast<std::size_t>(m), a_stride, static_cast<std::size_t>(it_.taps() * it_.group_channels()), sums);
        row_sums = sums;
      }
    }
    const T* residual = buffers_.residual < 0 ? nullptr : frame.at<const T>(buffers_.residual) + at;
    matrix.run(m, a, a_stride, frame.at<T>(buffers_.y) + at, it_.outputs, row_sums, residual, it_.outputs);
  }

  ConvGeometry it_;
  ConvBuffers buffers_;
  std::vector<Matrix> matrices_;
  Scratch scratch_;
  int rows_at_once_;
  std::ptrdiff_t row_;
  Gather<T> gather_;
  void (*sum_columns_u8_)(const std::uint8_t* x, std::size_t rows, std::ptrdiff_t stride, std::size_t k, std::int32_t* sums);
};

}  // namespace

template <class Matrix>
Status add_convolution(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, std::vector<Matrix> matrices,
                       typename Matrix::Element padding) {
  using T = typename Matrix::Element;
  const int k = geometry.taps() * geometry.group_channels();
  const std::ptrdiff_t row = (k + Matrix::kRowUnit - 1) / Matrix::kRowUnit * Matrix::kRowUnit;
  const std::size_t line_bytes = static_cast<std::size_t>(geometry.out_w) * static_cast<std::size_t>(row) * sizeof(T);
  const int rows_at_once = std::clamp(static_cast<int>(kPanelBytes / line_bytes), 1, geometry.out_h);
  typename ConvStep<Matrix>::Scratch scratch;
  int most = geometry.out_h * geometry.out_w;
  if (!geometry.is_pointwise()) {
    most = rows_at_once * geometry.out_w;
    scratch.panel = lowering.scratch(static_cast<std::size_t>(rows_at_once) * line_bytes);
  }
  if (std::ranges::any_of(matrices, &Matrix::needs_row_sums)) {
    scratch.row_sums = lowering.scratch(static_cast<std::size_t>(most) * sizeof(std::int32_t));
  }
  std::vector<BufferId> uses = {buffers.x, buffers.y};
  for (const BufferId other : {buffers.residual, scratch.panel, scratch.row_sums}) {
    if (other >= 0) uses.push_back(other);
  }
  lowering.add(
      std::make_unique<ConvStep<Matrix>>(geometry, buffers, std::move(matrices), scratch, rows_at_once, row, padding, lowering.kernels()),
      uses);
  return {};
}

template Status add_convolution(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers,
                                std::vector<MatrixF32> matrices, float padding);
template Status add_convolution(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers,
                                std::vector<MatrixU8> matrices, std::uint8_t padding);

}  // namespace moru::runtime::engine
