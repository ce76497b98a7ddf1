// SPDX-License-Identifier: Apache-2.0
// Rows by constant weights, in the two element types: what convolutions and fully connected layers are made of.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

/// Rows of the left matrix: at `a`, or pieces of as many lines as the weights were made for.
template <class T>
struct Rows {
  int count = 0;
  const T* a = nullptr;
  std::ptrdiff_t stride = 0;  ///< elements from one row to the next
  const T* const* lines = nullptr;
  int times = 1;      ///< so many such rows one behind the other; levels in lines only
  int line_step = 0;  ///< from the lines of the one to those of the next
};

/// Where they go, and what comes to them.
template <class T>
struct Outputs {
  T* c = nullptr;
  std::ptrdiff_t stride = 0;               ///< elements from one row to the next
  const T* residual = nullptr;             ///< floats only
  std::ptrdiff_t residual_stride = 0;      ///< elements from one row to the next
  const std::int32_t* row_sums = nullptr;  ///< levels only, where weights have zero points
};

/// What a matrix multiplies with: n rows of `lines` times k elements.
struct MatrixShape {
  int n = 0;
  int k = 0;
  int lines = 1;
  int m = 0;  ///< rows of the left matrix that a run has, where they lie there together; else 0
};

/// How a product is cut into pieces for several workers: some rows each, and where there are few rows, a slice of the outputs, whose
/// weights are packed for themselves. It follows from the shape alone, whoever runs how many of the pieces: floats are summed the same way.
struct Cut {
  int m = 0;
  int n = 0;
  int row_parts = 1;
  int slices = 1;
  int rows = 0;   ///< of a part; the last has what is left
  int slice = 0;  ///< outputs, a multiple of kPadding; the last has what is left
  static Cut of(const MatrixShape& shape);

  int pieces() const { return row_parts * slices; }
  int slice_of(int piece) const { return piece % slices; }
  int first_row(int piece) const { return piece / slices * rows; }
  int end_row(int piece) const { return piece / slices + 1 == row_parts ? m : first_row(piece) + rows; }
  int most_rows() const { return m - (row_parts - 1) * rows; }
  int first_output(int index) const { return index * slice; }
  int end_output(int index) const { return std::min((index + 1) * slice, n); }
};
inline constexpr int kAllSlices = -1;

/// Calls f(weights, first output, outputs) for the slice, or for all.
template <class Matrix, class F>
[[gnu::always_inline]] inline void for_slices(const Matrix& matrix, int slice, const F& f) noexcept {
  const Cut& cut = matrix.cut;
  const int first = slice == kAllSlices ? 0 : slice;
  const int end = slice == kAllSlices ? cut.slices : slice + 1;
  for (int i = first; i < end; ++i) {
    f(matrix.call.weights + static_cast<std::size_t>(i) * matrix.slice_bytes, cut.first_output(i), cut.end_output(i) - cut.first_output(i));
  }
}

/// Weights, bias and bounds of [m, k] x [k, n] on floats.
struct MatrixF32 {
  using Element = float;
  using Kernel = kernels::GemmF32Kernel;
  static constexpr int kRowUnit = 1;  ///< rows of `a` are padded to a multiple of so many elements
  const Kernel* kernel = nullptr;
  kernels::GemmF32 call;  ///< all but what run() sets
  Cut cut;
  std::size_t slice_bytes = 0;  ///< of the weights

  bool needs_row_sums() const { return false; }
  void run(const Rows<float>& rows, const Outputs<float>& to, int slice) const noexcept {
    for_slices(*this, slice, [&](const std::byte* weights, int first, int count) {
      kernels::GemmF32 now = call;
      now.m = rows.count;
      now.n = count;
      now.a = rows.a;
      now.a_stride = rows.stride;
      now.lines = rows.lines;
      now.weights = weights;
      now.bias += first;
      now.c = to.c + first;
      now.c_stride = to.stride;
      now.residual = to.residual == nullptr ? nullptr : to.residual + first;
      now.residual_stride = to.residual_stride;
      kernel->run(now);
    });
  }
};

/// The same on levels.
struct MatrixU8 {
  using Element = std::uint8_t;
  using Kernel = kernels::GemmU8Kernel;
  static constexpr int kRowUnit = 4;
  const Kernel* kernel = nullptr;
  kernels::GemmU8 call;
  Cut cut;
  std::size_t slice_bytes = 0;  ///< of the weights

  bool needs_row_sums() const { return call.w_zero != nullptr; }
  void run(const Rows<std::uint8_t>& rows, const Outputs<std::uint8_t>& to, int slice) const noexcept {
    for_slices(*this, slice, [&](const std::byte* weights, int first, int count) {
      kernels::GemmU8 now = call;
      now.m = rows.count;
      now.n = count;
      now.a = rows.a;
      now.a_stride = rows.stride;
      now.lines = rows.lines;
      now.times = rows.times;
      now.line_step = rows.line_step;
      now.weights = weights;
      now.bias += first;
      now.to.factor += first;
      now.row_sums = to.row_sums;
      now.w_zero = call.w_zero == nullptr ? nullptr : call.w_zero + first;
      now.c = to.c + first;
      now.c_stride = to.stride;
      kernel->run(now);
    });
  }
};

/// w [n, lines, k].
Result<MatrixF32> make_matrix(Lowering& lowering, std::span<const float> w, MatrixShape shape, std::span<const float> bias, Bounds bounds);

/// What a QConv or QMatMul says of its arithmetic, as levels in uint8.
struct LevelArithmetic {
  std::int32_t x_zero = 0;
  std::vector<std::int32_t> w_zero;  ///< one a channel, in the range of int8
  std::vector<float> factor;         ///< one a channel
  std::vector<std::int32_t> bias;    ///< one a channel
  kernels::Requantize to;            ///< low, high and zero; not the factors
  bool has_w_zero() const;
};
/// Weights as int8, whatever they were, in the order of the tensor.
std::vector<std::int8_t> signed_weights(const model::Tensor& w);
/// `to` of a node of domain moru whose output's zero point is `y_zero`: its bounds, as steps from the zero point.
Result<kernels::Requantize> read_requantize(const model::Node& node, const model::Tensor& y_zero);
/// The zero point of an input, as a level in uint8.
Result<std::int32_t> read_zero(Lowering& lowering, const model::Node& node, std::size_t input);
/// What levels stand for: (level - zero) * scale, as levels in uint8.
struct LevelScale {
  float scale = 1;  ///< finite and above 0
  std::int32_t zero = 0;
};
/// Of a QuantizeLinear or DequantizeLinear whose levels are of type `dtype`; one scale for the tensor.
Result<LevelScale> read_level_scale(Lowering& lowering, const model::Node& node, model::DType dtype);
/// Inputs 1 (x_zero), 3 (w_zero), 4 (factor), 5 (y_zero), 6 (bias) of a QConv or QMatMul of `channels` outputs, w of type `w_type`.
Result<LevelArithmetic> read_arithmetic(Lowering& lowering, const model::Node& node, int channels, model::DType w_type);

/// The bias of each channel with the zero point of x taken into it: sums[o] are those of its weights, less their zero points.
/// kUnsupported where a sum of `taps` products might leave int32.
Result<std::vector<std::int32_t>> folded_bias(const LevelArithmetic& arithmetic, std::span<const std::int64_t> sums,
                                              std::span<const std::int64_t> magnitudes);

/// The kernels that take all sums of these channels there can be: the plan's, or scalar ones where a factor may lead out of int32.
kernels::Kernels kernels_for_sums(const Lowering& lowering, const LevelArithmetic& arithmetic, std::span<const std::int64_t> magnitudes);

/// w [n, lines, k], of the channels [first, first + n) of `arithmetic`.
Result<MatrixU8> make_matrix(Lowering& lowering, std::span<const std::int8_t> w, MatrixShape shape, const LevelArithmetic& arithmetic,
                             int first);

/// Copies of entries of channels [first, first + n), padded as kernels want them.
template <class T>
Result<const T*> keep_channels(Lowering& lowering, std::span<const T> values, int first, int n) {
  std::vector<T> padded(static_cast<std::size_t>(kernels::padded(n)), T{});
  std::ranges::copy(values.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(n)), padded.begin());
  return lowering.keep(padded);
}

}  // namespace moru::runtime::engine
