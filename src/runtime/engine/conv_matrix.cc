// SPDX-License-Identifier: Apache-2.0
// Convolutions as rows of a matrix product.
#include <algorithm>

#include "runtime/engine/convolution.h"
#include "runtime/engine/rows.h"

namespace moru::runtime::engine {
namespace {

/// Bytes of gathered rows that stay in the first cache beside the weights.
constexpr std::size_t kPanelBytes = 24576;

int divided_up(int a, int b) { return (a + b - 1) / b; }

/// A row of the kernel reads columns that lie side by side.
bool is_run(const ConvGeometry& geometry) { return geometry.group == 1 && geometry.dilation_w == 1; }

/// Of the gathered rows of one group, with room for what a copy writes too much.
template <class T>
std::ptrdiff_t panel_elements(const ConvGeometry& geometry, int rows, std::ptrdiff_t row) {
  return std::ptrdiff_t{rows} * geometry.out_w * row + static_cast<std::ptrdiff_t>(kernels::kSlack / sizeof(T));
}

template <class Matrix>
class ConvStep final : public RowStep {
 public:
  using T = typename Matrix::Element;
  struct Scratch {
    BufferId panel = -1;     ///< gathered rows; none for a pointwise convolution
    BufferId pieces = -1;    ///< pointers to what an output reads
    BufferId rows = -1;      ///< of x, padded
    BufferId row_sums = -1;  ///< where weights have zero points
  };

  ConvStep(const ConvGeometry& geometry, const ConvBuffers& buffers, std::vector<Matrix> matrices, ConvRows mode, Scratch scratch,
           int rows_at_once, std::ptrdiff_t row, T padding, const kernels::Kernels& kernels)
      : RowStep(pieces_of(geometry, matrices, mode, rows_at_once), geometry.batch, reach_of(geometry, buffers, sizeof(T))),
        it_(geometry),
        buffers_(buffers),
        matrices_(std::move(matrices)),
        mode_(mode),
        scratch_(scratch),
        rows_at_once_(rows_at_once),
        row_(row),
        padding_(padding),
        gather_(kernels.gather->run),
        sum_columns_u8_(kernels.elementwise->sum_columns_u8) {}

  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    if (mode_ == ConvRows::kReady) {
      for (int piece = begin; piece < end; ++piece) ready(frame, piece);
      return;
    }
    // A piece is rows_at_once_ rows of outputs.
    PaddedRows<T> rows(it_, padding_, frame.at<T>(scratch_.rows));
    const int chunks = chunks_of(it_, rows_at_once_);
    for (int piece = begin; piece < end;) {
      const int n = piece / chunks;
      const int of_image = std::min(end, (n + 1) * chunks);
      const int last = std::min(it_.out_h, (of_image - n * chunks) * rows_at_once_);
      from_lines(frame, rows, n, {(piece - n * chunks) * rows_at_once_, last}, rows_at_once_);
      piece = of_image;
    }
  }

  void run_rows(const Frame& frame, int begin, int end) const noexcept override {
    if (mode_ != ConvRows::kReady) {
      PaddedRows<T> rows(it_, padding_, frame.at<T>(scratch_.rows));
      return from_lines(frame, rows, 0, {begin, end}, kExact ? rows_at_once_ : 1);
    }
    const int at_once = kExact ? end - begin : 1;
    for (int y = begin; y < end; y += at_once) {
      const int first = y * it_.out_w;
      const T* x = frame.at<const T>(buffers_.x) + std::ptrdiff_t{first} * it_.channels;
      for (std::size_t g = 0; g < matrices_.size(); ++g, x += it_.group_channels()) {
        product(frame, g, {.count = at_once * it_.out_w, .a = x, .stride = it_.channels}, first);
      }
    }
  }

 private:
  /// Sums of floats come out otherwise where a product has another number of rows.
  static constexpr bool kExact = sizeof(T) == 1;

  static int chunks_of(const ConvGeometry& it, int rows_at_once) { return divided_up(it.out_h, rows_at_once); }
  static int pieces_of(const ConvGeometry& it, const std::vector<Matrix>& matrices, ConvRows mode, int rows_at_once) {
    return mode == ConvRows::kReady ? matrices.front().cut.pieces() : it.batch * chunks_of(it, rows_at_once);
  }

  /// A piece of the product, of each group.
  void ready(const Frame& frame, int piece) const noexcept {
    const T* x = frame.at<const T>(buffers_.x);
    const Cut& cut = matrices_.front().cut;
    const int first = cut.first_row(piece);
    x += std::ptrdiff_t{first} * it_.channels;
    for (std::size_t g = 0; g < matrices_.size(); ++g, x += it_.group_channels()) {
      product(frame, g, {.count = cut.end_row(piece) - first, .a = x, .stride = it_.channels}, first, cut.slice_of(piece));
    }
  }

  /// Rows `out` of the outputs of image n, so many in a product.
  void from_lines(const Frame& frame, PaddedRows<T>& rows, int n, RowRange out, int at_once) const noexcept {
    rows.start(frame.at<const T>(buffers_.x) + std::ptrdiff_t{n} * it_.in_h * it_.in_w * it_.channels, out.end);
    for (int y = out.begin; y < out.end; y += at_once) {
      const int times = std::min(at_once, out.end - y);
      const int first = (n * it_.out_h + y) * it_.out_w;
      if (mode_ == ConvRows::kLines) {
        const std::ptrdiff_t stride = std::ptrdiff_t{it_.stride_w} * it_.channels;
        const T* const* lines = it_.dilation_w == 1 ? rows.at(y, times) : taps_of(frame, rows.at(y));
        product(frame, 0, {.count = it_.out_w, .stride = stride, .lines = lines, .times = times, .line_step = it_.stride_h}, first);
      } else {
        gathered(frame, rows, first, y, times);
      }
    }
  }

  /// Groups lie behind one another in the panel: each row of x is asked for once.
  void gathered(const Frame& frame, PaddedRows<T>& rows, int first, int out_y, int count) const noexcept {
    T* panel = frame.at<T>(scratch_.panel);
    const std::ptrdiff_t group_step = panel_elements<T>(it_, rows_at_once_, row_);
    for (int i = 0; i < count; ++i) {
      const T* const* lines = rows.at(out_y + i);
      for (int g = 0; g < it_.group; ++g) gather(frame, lines, g, panel + g * group_step + std::ptrdiff_t{i} * it_.out_w * row_);
    }
    for (std::size_t g = 0; g < matrices_.size(); ++g, panel += group_step) {
      product(frame, g, {.count = count * it_.out_w, .a = panel, .stride = row_}, first);
    }
  }

  /// Where the taps of each line begin: they do not lie side by side.
  const T* const* taps_of(const Frame& frame, const T* const* lines) const noexcept {
    auto* taps = frame.at<const T*>(scratch_.pieces);
    for (int i = 0; i < it_.taps(); ++i) {
      taps[i] = lines[i / it_.kernel_w] + std::ptrdiff_t{i % it_.kernel_w} * it_.dilation_w * it_.channels;
    }
    return taps;
  }

  void gather(const Frame& frame, const T* const* lines, int group, T* to) const noexcept {
    const bool runs = is_run(it_);
    // Taps of a row that are not one run are lines of their own.
    const int taps = runs ? 1 : it_.kernel_w;
    auto* pieces = frame.at<const std::byte*>(scratch_.pieces);
    const std::byte** piece = pieces;
    for (int i = 0; i < it_.kernel_h; ++i) {
      const T* from = lines[i] + std::ptrdiff_t{group} * it_.group_channels();
      for (int tap = 0; tap < taps; ++tap, from += std::ptrdiff_t{it_.dilation_w} * it_.channels) {
        *piece++ = reinterpret_cast<const std::byte*>(from);
      }
    }
    constexpr auto kBytes = static_cast<std::ptrdiff_t>(sizeof(T));
    gather_({.lines = pieces,
             .line_count = it_.kernel_h * taps,
             .count = it_.out_w,
             .step = std::ptrdiff_t{it_.stride_w} * it_.channels * kBytes,
             .segment = std::ptrdiff_t{runs ? it_.kernel_w : 1} * it_.group_channels() * kBytes,
             .to = reinterpret_cast<std::byte*>(to),
             .to_stride = row_ * kBytes});
  }

  /// Outputs from `first` on, of group g; all slices of its matrix where none is named.
  void product(const Frame& frame, std::size_t g, const Rows<T>& rows, int first, int slice = kAllSlices) const noexcept {
    const Matrix& matrix = matrices_[g];
    const std::ptrdiff_t at = std::ptrdiff_t{first} * it_.outputs + static_cast<std::ptrdiff_t>(g) * it_.group_outputs();
    const std::int32_t* row_sums = nullptr;
    if constexpr (sizeof(T) == 1) row_sums = sums_of(frame, matrix, rows);
    const T* residual = buffers_.residual < 0 ? nullptr : frame.at<const T>(buffers_.residual) + at;
    matrix.run(rows, {frame.at<T>(buffers_.y) + at, it_.outputs, residual, it_.outputs, row_sums}, slice);
  }

  const std::int32_t* sums_of(const Frame& frame, const Matrix& matrix, const Rows<T>& rows) const noexcept {
    if (scratch_.row_sums < 0) return nullptr;
    auto* sums = frame.at<std::int32_t>(scratch_.row_sums);
    std::fill_n(sums, rows.count, 0);
    for (int line = 0; line < matrix.call.line_count; ++line) {
      sum_columns_u8_(rows.lines != nullptr ? rows.lines[line] : rows.a, static_cast<std::size_t>(rows.count), rows.stride,
                      static_cast<std::size_t>(matrix.call.k), sums);
    }
    return sums;
  }

  ConvGeometry it_;
  ConvBuffers buffers_;
  std::vector<Matrix> matrices_;
  ConvRows mode_;
  Scratch scratch_;
  int rows_at_once_;
  std::ptrdiff_t row_;
  T padding_;
  void (*gather_)(const kernels::Gather& call);
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
  const ConvRows mode = rows_of(geometry, sizeof(T));
  const bool sums_rows = std::ranges::any_of(matrices, &Matrix::needs_row_sums);
  int rows_at_once = 1;
  if (mode == ConvRows::kGathered) rows_at_once = std::clamp(static_cast<int>(kPanelBytes / line_bytes), 1, geometry.out_h);
  if (mode == ConvRows::kLines && sizeof(T) == 1 && !sums_rows && geometry.dilation_w == 1) {
    rows_at_once = PaddedRows<T>::most_at_once(geometry);
  }
  // As many times, but evenly.
  rows_at_once = divided_up(geometry.out_h, divided_up(geometry.out_h, rows_at_once));
  typename ConvStep<Matrix>::Scratch scratch;
  if (mode != ConvRows::kReady) scratch.rows = lowering.scratch(PaddedRows<T>::memory_bytes(geometry));
  if (mode == ConvRows::kGathered) {
    scratch.panel = lowering.scratch(static_cast<std::size_t>(panel_elements<T>(geometry, rows_at_once, row) * geometry.group) * sizeof(T));
  }
  if (mode == ConvRows::kGathered || (mode == ConvRows::kLines && geometry.dilation_w > 1)) {
    scratch.pieces = lowering.scratch(static_cast<std::size_t>(geometry.taps()) * sizeof(std::byte*));
  }
  if (sums_rows) {
    const int most = mode == ConvRows::kReady ? geometry.batch * geometry.out_h * geometry.out_w : rows_at_once * geometry.out_w;
    scratch.row_sums = lowering.scratch(static_cast<std::size_t>(most) * sizeof(std::int32_t));
  }
  std::vector<BufferId> uses = {buffers.x, buffers.y};
  for (const BufferId other : {buffers.residual, scratch.panel, scratch.pieces, scratch.rows, scratch.row_sums}) {
    if (other >= 0) uses.push_back(other);
  }
  lowering.add(std::make_unique<ConvStep<Matrix>>(geometry, buffers, std::move(matrices), mode, scratch, rows_at_once, row, padding,
                                                  lowering.kernels()),
               uses);
  if (buffers.residual != buffers.x) lowering.may_overwrite(buffers.residual, buffers.y);
  return {};
}

template Status add_convolution(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers,
                                std::vector<MatrixF32> matrices, float padding);
template Status add_convolution(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers,
                                std::vector<MatrixU8> matrices, std::uint8_t padding);

}  // namespace moru::runtime::engine
