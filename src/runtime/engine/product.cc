// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/product.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "runtime/engine/mixed.h"

namespace moru::runtime::engine {
namespace {

template <class Matrix>
class ProductStep final : public SplitStep {
 public:
  using T = typename Matrix::Element;
  struct Buffers {
    BufferId a;
    BufferId y;
    BufferId residual;
    BufferId row_sums;
  };
  ProductStep(const Matrix& matrix, const Buffers& buffers, const kernels::Kernels& kernels)
      : SplitStep(matrix.cut.pieces()), matrix_(matrix), buffers_(buffers), sum_columns_u8_(kernels.elementwise->sum_columns_u8) {}

  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    for (int piece = begin; piece < end; ++piece) run_piece(frame, piece);
  }

 private:
  void run_piece(const Frame& frame, int piece) const noexcept {
    const int first = matrix_.cut.first_row(piece);
    const int count = matrix_.cut.end_row(piece) - first;
    const T* a = frame.at<const T>(buffers_.a) + std::ptrdiff_t{first} * matrix_.call.k;
    const std::int32_t* row_sums = nullptr;
    if constexpr (sizeof(T) == 1) {
      if (buffers_.row_sums >= 0) {
        auto* sums = frame.at<std::int32_t>(buffers_.row_sums);
        std::fill_n(sums, count, 0);
        sum_columns_u8_(a, static_cast<std::size_t>(count), matrix_.call.k, static_cast<std::size_t>(matrix_.call.k), sums);
        row_sums = sums;
      }
    }
    const std::ptrdiff_t at = std::ptrdiff_t{first} * matrix_.call.n;
    const T* residual = buffers_.residual < 0 ? nullptr : frame.at<const T>(buffers_.residual) + at;
    matrix_.run({.count = count, .a = a, .stride = matrix_.call.k},
                {frame.at<T>(buffers_.y) + at, matrix_.call.n, residual, matrix_.call.n, row_sums}, matrix_.cut.slice_of(piece));
  }

  Matrix matrix_;
  Buffers buffers_;
  void (*sum_columns_u8_)(const std::uint8_t* x, std::size_t rows, std::ptrdiff_t stride, std::size_t k, std::int32_t* sums);
};

}  // namespace

template <class Matrix>
Status add_product(Lowering& lowering, const Matrix& matrix, BufferId a, BufferId y, BufferId residual) {
  typename ProductStep<Matrix>::Buffers buffers{a, y, residual, -1};
  if (matrix.needs_row_sums()) buffers.row_sums = lowering.scratch(static_cast<std::size_t>(matrix.cut.most_rows()) * sizeof(std::int32_t));
  std::vector<BufferId> uses = {a, y};
  for (const BufferId other : {residual, buffers.row_sums}) {
    if (other >= 0) uses.push_back(other);
  }
  lowering.add(std::make_unique<ProductStep<Matrix>>(matrix, buffers, lowering.kernels()), uses);
  if (residual != a) lowering.may_overwrite(residual, y);
  return {};
}
template Status add_product(Lowering& lowering, const MatrixF32& matrix, BufferId a, BufferId y, BufferId residual);
template Status add_product(Lowering& lowering, const MatrixMixed& matrix, BufferId a, BufferId y, BufferId residual);
template Status add_product(Lowering& lowering, const MatrixU8& matrix, BufferId a, BufferId y, BufferId residual);

Result<ProductShape> read_product(const Stored& a, const model::Dims& b, bool transposed) {
  if (b.size() != 2 || a.dims.size() < 2) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("found {} by a constant {}, expected [..., M, K] by [K, N]", model::to_string(a.dims), model::to_string(b)));
  }
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max() / 4;
  const auto k = static_cast<std::size_t>(a.dims.back());
  const auto n = static_cast<std::size_t>(b[transposed ? 0 : 1]);
  if (k == 0 || n == 0 || a.count() == 0 || a.count() > kMost || n > kMost) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("found {} by {}, expected no empty and no huge matrices", model::to_string(a.dims), model::to_string(b)));
  }
  return ProductShape{static_cast<int>(a.count() / k), static_cast<int>(n), static_cast<int>(k)};
}

}  // namespace moru::runtime::engine
