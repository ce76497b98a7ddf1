// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace moru::runtime::engine {
namespace {

using model::DType;
using model::Tensor;

/// Element i of int8 or uint8, as it stands.
std::int32_t level_at(const Tensor& tensor, std::size_t i) {
  return tensor.dtype() == DType::kInt8 ? std::int32_t{tensor.data<std::int8_t>()[i]} : std::int32_t{tensor.data<std::uint8_t>()[i]};
}

/// Slice by slice.
template <class Matrix, class T>
Status pack(Lowering& lowering, std::span<const T> w, const MatrixShape& shape, Matrix* matrix) {
  matrix->cut = Cut::of(shape);
  const auto packed_bytes = [&](int n) {
    return (matrix->kernel->packed_bytes(n, shape.lines, shape.k) + kAlignment - 1) / kAlignment * kAlignment;
  };
  matrix->slice_bytes = packed_bytes(matrix->cut.slice);
  const int last = matrix->cut.slices - 1;
  const std::size_t before = static_cast<std::size_t>(last) * matrix->slice_bytes;
  MORU_ASSIGN_OR_RETURN(std::byte * packed, lowering.keep_bytes(before + packed_bytes(shape.n - matrix->cut.first_output(last))));
  matrix->call.weights = packed;
  for (int i = 0; i <= last; ++i, packed += matrix->slice_bytes) {
    const int first = matrix->cut.first_output(i);
    matrix->kernel->pack(w.data() + std::ptrdiff_t{first} * shape.lines * shape.k, matrix->cut.end_output(i) - first, shape.lines, shape.k,
                         packed);
  }
  return {};
}

template <class T>
T entry(std::span<const T> values, std::size_t channel) {
  return values[values.size() == 1 ? 0 : channel];
}

/// What no sum of channel o is farther from 0 than.
std::int64_t farthest_sum(const LevelArithmetic& arithmetic, std::span<const std::int64_t> magnitudes, std::size_t o) {
  const std::int64_t farthest = std::max(arithmetic.x_zero, 255 - arithmetic.x_zero);
  return farthest * magnitudes[o] + std::abs(std::int64_t{arithmetic.bias[o]});
}

}  // namespace

Cut Cut::of(const MatrixShape& shape) {
  // A few us of products at the least, so that a call of the kernel is cheap beside them; and enough pieces for the cores there are.
  constexpr double kLeastMacs = 1 << 18;
  constexpr double kMostPieces = 32;
  constexpr int kRows = 24;  // a multiple of most kernels' tiles
  Cut cut{.m = shape.m, .n = shape.n, .rows = shape.m, .slice = shape.n};
  const double macs = double{1} * shape.m * shape.n * shape.lines * shape.k;
  const auto pieces = static_cast<int>(std::clamp(macs / kLeastMacs, 1.0, kMostPieces));
  if (pieces == 1) return cut;
  const int parts = std::clamp(shape.m / kRows, 1, pieces);
  if (parts > 1) {
    cut.rows = std::max(1, (shape.m / parts + kRows / 2) / kRows) * kRows;
    cut.row_parts = std::max(1, (shape.m + kRows / 2) / cut.rows);
  }
  const int slices = std::clamp(pieces / cut.row_parts, 1, std::max(1, shape.n / kernels::kPadding));
  if (slices > 1) {
    cut.slice = kernels::padded((shape.n + slices - 1) / slices);
    cut.slices = (shape.n + cut.slice - 1) / cut.slice;
  }
  return cut;
}

bool LevelArithmetic::has_w_zero() const {
  return std::ranges::any_of(w_zero, [](std::int32_t zero) { return zero != 0; });
}

std::vector<std::int8_t> signed_weights(const Tensor& w) {
  const std::int32_t shift = w.dtype() == DType::kUInt8 ? 128 : 0;
  std::vector<std::int8_t> weights(static_cast<std::size_t>(w.count()));
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<std::int8_t>(level_at(w, i) - shift);
  return weights;
}

Result<kernels::Requantize> read_requantize(const model::Node& node, const Tensor& y_zero) {
  const std::int32_t zero = level_at(y_zero, 0);
  const bool is_signed = y_zero.dtype() == DType::kInt8;
  MORU_ASSIGN_OR_RETURN(const std::int64_t low, model::int_attribute(node, "low", is_signed ? -128 : 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t high, model::int_attribute(node, "high", is_signed ? 127 : 255));
  return kernels::Requantize{
      .low = static_cast<float>(low - zero), .high = static_cast<float>(high - zero), .zero = zero + level_shift(y_zero.dtype())};
}

Result<std::int32_t> read_zero(Lowering& lowering, const model::Node& node, std::size_t input) {
  MORU_ASSIGN_OR_RETURN(const Tensor* zero, lowering.constant(node, input));
  if (zero->count() != 1 || (zero->dtype() != DType::kInt8 && zero->dtype() != DType::kUInt8)) {
    return fail(ErrorCode::kUnsupported, fmt::format("found zero points of {} {}, expected one of int8 or uint8",
                                                     model::to_string(zero->dtype()), model::to_string(zero->dims())));
  }
  return level_at(*zero, 0) + level_shift(zero->dtype());
}

Result<LevelScale> read_level_scale(Lowering& lowering, const model::Node& node, DType dtype) {
  MORU_ASSIGN_OR_RETURN(const Tensor* scale, lowering.constant(node, 1));
  if (scale->count() != 1 || scale->dtype() != DType::kFloat32) return fail(ErrorCode::kUnsupported, "expected one float32 scale");
  LevelScale result{scale->data<float>()[0], level_shift(dtype)};
  if (!std::isfinite(result.scale) || result.scale <= 0) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found scale {}, expected a finite one above 0", result.scale));
  }
  if (lowering.has_input(node, 2)) {
    MORU_ASSIGN_OR_RETURN(result.zero, read_zero(lowering, node, 2));
  }
  return result;
}

Result<LevelArithmetic> read_arithmetic(Lowering& lowering, const model::Node& node, int channels, DType w_type) {
  enum Input : std::size_t { kXZero = 1, kWZero = 3, kFactor = 4, kYZero = 5, kBias = 6 };
  LevelArithmetic arithmetic;
  MORU_ASSIGN_OR_RETURN(arithmetic.x_zero, read_zero(lowering, node, kXZero));
  MORU_ASSIGN_OR_RETURN(const Tensor* w_zero, lowering.constant(node, kWZero));
  MORU_ASSIGN_OR_RETURN(const Tensor* factor, lowering.constant(node, kFactor));
  MORU_ASSIGN_OR_RETURN(const Tensor* y_zero, lowering.constant(node, kYZero));
  MORU_ASSIGN_OR_RETURN(arithmetic.to, read_requantize(node, *y_zero));
  std::span<const std::int32_t> bias;
  if (lowering.has_input(node, kBias)) {
    MORU_ASSIGN_OR_RETURN(const Tensor* tensor, lowering.constant(node, kBias));
    bias = tensor->data<std::int32_t>();
  }
  const std::int32_t shift = w_type == DType::kUInt8 ? 128 : 0;
  for (std::size_t o = 0; o < static_cast<std::size_t>(channels); ++o) {
    arithmetic.w_zero.push_back(level_at(*w_zero, w_zero->count() == 1 ? 0 : o) - shift);
    arithmetic.factor.push_back(entry(factor->data<float>(), o));
    arithmetic.bias.push_back(bias.empty() ? 0 : entry(bias, o));
    if (!std::isfinite(arithmetic.factor.back())) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("found factor {} of channel {}, expected a finite number", arithmetic.factor.back(), o));
    }
  }
  return arithmetic;
}

Result<std::vector<std::int32_t>> folded_bias(const LevelArithmetic& arithmetic, std::span<const std::int64_t> sums,
                                              std::span<const std::int64_t> magnitudes) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  std::vector<std::int32_t> bias(sums.size());
  for (std::size_t o = 0; o < sums.size(); ++o) {
    // docs/arithmetic.md, Overflow: with this the order of the sum does not matter, nor what wraps around on the way.
    if (farthest_sum(arithmetic, magnitudes, o) > kMost) {
      return fail(ErrorCode::kUnsupported, fmt::format("sums of channel {} may leave int32", o));
    }
    bias[o] = static_cast<std::int32_t>(static_cast<std::uint32_t>(arithmetic.bias[o] - arithmetic.x_zero * sums[o]));
  }
  return bias;
}

kernels::Kernels kernels_for_sums(const Lowering& lowering, const LevelArithmetic& arithmetic, std::span<const std::int64_t> magnitudes) {
  constexpr double kMost = 1 << 30;
  for (std::size_t o = 0; o < magnitudes.size(); ++o) {
    if (static_cast<double>(farthest_sum(arithmetic, magnitudes, o)) * std::fabs(arithmetic.factor[o]) > kMost) {
      return kernels::kernels_for(kernels::Isa::kScalar);
    }
  }
  return lowering.kernels();
}

Result<MatrixF32> make_matrix(Lowering& lowering, std::span<const float> w, MatrixShape shape, std::span<const float> bias, Bounds bounds) {
  MatrixF32 matrix;
  matrix.kernel = lowering.kernels().gemm_f32;
  MORU_RETURN_IF_ERROR(pack(lowering, w, shape, &matrix));
  std::vector<float> all(static_cast<std::size_t>(shape.n), 0.0F);
  std::ranges::copy(bias, all.begin());
  MORU_ASSIGN_OR_RETURN(matrix.call.bias, keep_channels<float>(lowering, all, 0, shape.n));
  matrix.call.n = shape.n;
  matrix.call.k = shape.k;
  matrix.call.line_count = shape.lines;
  matrix.call.low = bounds.low;
  matrix.call.high = bounds.high;
  return matrix;
}

Result<MatrixU8> make_matrix(Lowering& lowering, std::span<const std::int8_t> w, MatrixShape shape, const LevelArithmetic& arithmetic,
                             int first) {
  const int n = shape.n;
  const int k = shape.lines * shape.k;
  std::vector<std::int64_t> sums(arithmetic.bias.size(), 0);
  std::vector<std::int64_t> magnitudes(arithmetic.bias.size(), 0);
  for (int o = 0; o < n; ++o) {
    const std::size_t channel = static_cast<std::size_t>(first) + static_cast<std::size_t>(o);
    for (int i = 0; i < k; ++i) {
      const std::int64_t weight =
          w[static_cast<std::size_t>(o) * static_cast<std::size_t>(k) + static_cast<std::size_t>(i)] - arithmetic.w_zero[channel];
      sums[channel] += weight;
      magnitudes[channel] += std::abs(weight);
    }
  }
  MORU_ASSIGN_OR_RETURN(const auto bias, folded_bias(arithmetic, sums, magnitudes));
  MatrixU8 matrix;
  matrix.kernel = kernels_for_sums(lowering, arithmetic, magnitudes).gemm_u8;
  MORU_RETURN_IF_ERROR(pack(lowering, w, shape, &matrix));
  MORU_ASSIGN_OR_RETURN(matrix.call.bias, keep_channels<std::int32_t>(lowering, bias, first, n));
  if (arithmetic.has_w_zero()) {
    MORU_ASSIGN_OR_RETURN(matrix.call.w_zero, keep_channels<std::int32_t>(lowering, arithmetic.w_zero, first, n));
  }
  matrix.call.to = arithmetic.to;
  MORU_ASSIGN_OR_RETURN(matrix.call.to.factor, keep_channels<float>(lowering, arithmetic.factor, first, n));
  matrix.call.n = shape.n;
  matrix.call.k = shape.k;
  matrix.call.line_count = shape.lines;
  return matrix;
}

}  // namespace moru::runtime::engine
