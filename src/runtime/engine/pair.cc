// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/pair.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace moru::runtime::engine {
namespace {

class PairStep final : public Step {
 public:
  PairStep(PairShape shape, const MatrixSteps& steps, const PairBuffers& buffers, BufferId packed, const float* bias, Bounds bounds,
           const kernels::GemmF32Kernel* kernel)
      : it_(std::move(shape)), steps_(steps), buffers_(buffers), packed_(packed), bias_(bias), bounds_(bounds), kernel_(kernel) {}

  void run(const Frame& frame) const noexcept override {
    auto* packed = frame.at<std::byte>(packed_);
    kernels::GemmF32 call{.m = it_.m,
                          .n = it_.n,
                          .k = it_.k,
                          .a_stride = it_.k,
                          .weights = packed,
                          .bias = bias_,
                          .residual_stride = it_.n,
                          .c = frame.at<float>(buffers_.y),
                          .c_stride = it_.n,
                          .low = bounds_.low,
                          .high = bounds_.high};
    if (buffers_.residual >= 0) call.residual = frame.at<const float>(buffers_.residual);
    std::ptrdiff_t last = -1;
    for (const PairShape::Matrix& matrix : it_.matrices) {
      if (matrix.b != last) {
        kernel_->pack_strided(frame.at<const float>(buffers_.b) + matrix.b, steps_.n_step, steps_.k_step, it_.n, it_.k, packed);
        last = matrix.b;
      }
      call.a = frame.at<const float>(buffers_.a) + matrix.a;
      kernel_->run(call);
      call.c += std::ptrdiff_t{it_.m} * it_.n;
      if (call.residual != nullptr) call.residual += std::ptrdiff_t{it_.m} * it_.n;
    }
  }

 private:
  PairShape it_;
  MatrixSteps steps_;
  PairBuffers buffers_;
  BufferId packed_;
  const float* bias_;
  Bounds bounds_;
  const kernels::GemmF32Kernel* kernel_;
};

/// The right levels become what constant weights are: int8 in rows, packed, their zero point and that of the left ones in a bias.
class PairLevelsStep final : public Step {
 public:
  struct Scratch {
    BufferId rows;  ///< [n, k] of int8
    BufferId packed;
    BufferId bias;      ///< padded(n)
    BufferId row_sums;  ///< [m]
  };
  PairLevelsStep(PairShape shape, const PairBuffers& buffers, const Scratch& scratch, const kernels::GemmU8& call, std::int32_t x_zero,
                 const std::int32_t* bias, const kernels::Kernels& kernels)
      : it_(std::move(shape)),
        buffers_(buffers),
        scratch_(scratch),
        call_(call),
        x_zero_(x_zero),
        bias_(bias),
        kernel_(kernels.gemm_u8),
        sum_columns_u8_(kernels.elementwise->sum_columns_u8) {}

  void run(const Frame& frame) const noexcept override {
    kernels::GemmU8 call = call_;
    auto* row_sums = frame.at<std::int32_t>(scratch_.row_sums);
    call.weights = frame.at<const std::byte>(scratch_.packed);
    call.bias = frame.at<const std::int32_t>(scratch_.bias);
    call.row_sums = row_sums;
    call.c = frame.at<std::uint8_t>(buffers_.y);
    std::ptrdiff_t last = -1;
    for (const PairShape::Matrix& matrix : it_.matrices) {
      if (matrix.b != last) take(frame, frame.at<const std::uint8_t>(buffers_.b) + matrix.b);
      last = matrix.b;
      call.a = frame.at<const std::uint8_t>(buffers_.a) + matrix.a;
      std::fill_n(row_sums, it_.m, 0);
      sum_columns_u8_(call.a, static_cast<std::size_t>(it_.m), it_.k, static_cast<std::size_t>(it_.k), row_sums);
      kernel_->run(call);
      call.c += std::ptrdiff_t{it_.m} * it_.n;
    }
  }

 private:
  /// b [k, n].
  void take(const Frame& frame, const std::uint8_t* b) const noexcept {
    auto* rows = frame.at<std::int8_t>(scratch_.rows);
    auto* bias = frame.at<std::int32_t>(scratch_.bias);
    for (std::ptrdiff_t o = 0; o < it_.n; ++o) {
      std::int32_t sum = 0;
      for (std::ptrdiff_t i = 0; i < it_.k; ++i) {
        const auto weight = static_cast<std::int8_t>(b[i * it_.n + o] - 128);
        rows[o * it_.k + i] = weight;
        sum += weight - call_.w_zero[o];
      }
      bias[o] = bias_[o] - x_zero_ * sum;
    }
    kernel_->pack(rows, it_.n, 1, it_.k, frame.at<std::byte>(scratch_.packed));
  }

  PairShape it_;
  PairBuffers buffers_;
  Scratch scratch_;
  kernels::GemmU8 call_;
  std::int32_t x_zero_;
  const std::int32_t* bias_;
  const kernels::GemmU8Kernel* kernel_;
  void (*sum_columns_u8_)(const std::uint8_t* x, std::size_t rows, std::ptrdiff_t stride, std::size_t k, std::int32_t* sums);
};

std::int64_t product_of(std::span<const std::int64_t> dims) {
  std::int64_t product = 1;
  for (const std::int64_t extent : dims) product *= extent;
  return product;
}

/// Matrices of `dims` (the batch of an operand) in the order of a batch that it stretches to.
std::vector<std::ptrdiff_t> stretched_matrices(std::span<const std::int64_t> dims, const model::Dims& batch, std::int64_t size) {
  std::vector<std::ptrdiff_t> places = {0};
  std::int64_t step = size;
  // From the last axis to the first: what there is so far is repeated, a step further each time.
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::int64_t extent = batch[batch.size() - 1 - i];
    const std::int64_t own = i < dims.size() ? dims[dims.size() - 1 - i] : 1;
    const std::size_t count = places.size();
    for (std::int64_t j = 1; j < extent; ++j) {
      for (std::size_t place = 0; place < count; ++place) places.push_back(places[place] + (own == 1 ? 0 : j * step));
    }
    step *= own;
  }
  return places;
}

}  // namespace

Result<PairShape> read_pair(const model::Dims& a, const model::Dims& b) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() / 4;
  const model::Dims a_dims = a.size() == 1 ? model::Dims{1, a[0]} : a;
  const model::Dims b_dims = b.size() == 1 ? model::Dims{b[0], 1} : b;
  const auto a_batch = std::span(a_dims).first(a_dims.size() - 2);
  const auto b_batch = std::span(b_dims).first(b_dims.size() - 2);
  model::Dims batch(std::max(a_batch.size(), b_batch.size()), 1);
  for (const auto& dims : {a_batch, b_batch}) {
    const std::size_t first = batch.size() - dims.size();
    for (std::size_t i = 0; i < dims.size(); ++i) batch[first + i] = dims[i] == 1 ? batch[first + i] : dims[i];
  }
  MORU_ASSIGN_OR_RETURN(const std::int64_t count_matrices, model::element_count(batch, model::DType::kFloat32));
  const std::int64_t m = a_dims[a_dims.size() - 2];
  const std::int64_t k = a_dims.back();
  const std::int64_t n = b_dims.back();
  for (const std::int64_t count : {product_of(a_dims), product_of(b_dims), m, n, k, count_matrices}) {
    if (count >= 1 && count <= kMost) continue;
    return fail(ErrorCode::kUnsupported,
                fmt::format("found {} by {}, expected no empty and no huge matrices", model::to_string(a), model::to_string(b)));
  }
  PairShape shape{.m = static_cast<int>(m), .n = static_cast<int>(n), .k = static_cast<int>(k)};
  if (b_batch.empty() || product_of(b_batch) == 1) {  // one right matrix: all rows are of one product
    shape.m = static_cast<int>(m * product_of(a_batch));
    shape.matrices = {{0, 0}};
    return shape;
  }
  const auto a_places = stretched_matrices(a_batch, batch, m * k);
  const auto b_places = stretched_matrices(b_batch, batch, k * n);
  for (std::size_t i = 0; i < a_places.size(); ++i) shape.matrices.push_back({a_places[i], b_places[i]});
  return shape;
}

Status add_pair(Lowering& lowering, const PairShape& shape, const MatrixSteps& steps, const PairBuffers& buffers, Bounds bounds) {
  const kernels::GemmF32Kernel* kernel = lowering.kernels().gemm_f32;
  const BufferId packed = lowering.scratch(kernel->packed_bytes(shape.n, 1, shape.k));
  MORU_ASSIGN_OR_RETURN(const float* bias, lowering.keep(std::vector<float>(static_cast<std::size_t>(kernels::padded(shape.n)), 0.0F)));
  std::vector<BufferId> uses = {buffers.a, buffers.b, buffers.y, packed};
  if (buffers.residual >= 0) uses.push_back(buffers.residual);
  lowering.add(std::make_unique<PairStep>(shape, steps, buffers, packed, bias, bounds, kernel), uses);
  if (buffers.residual != buffers.a && buffers.residual != buffers.b) lowering.may_overwrite(buffers.residual, buffers.y);
  return {};
}

Status add_pair(Lowering& lowering, const PairShape& shape, const PairBuffers& buffers, const LevelArithmetic& arithmetic) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  const std::int64_t farthest = std::max(arithmetic.x_zero, 255 - arithmetic.x_zero);
  std::vector<std::int64_t> magnitudes;  // the most that those of b can be
  for (std::size_t o = 0; o < arithmetic.bias.size(); ++o) {
    // docs/arithmetic.md, Overflow: of two activations.
    magnitudes.push_back(std::int64_t{shape.k} * std::max(arithmetic.w_zero[o] + 128, 127 - arithmetic.w_zero[o]));
    if (farthest * magnitudes[o] + std::abs(std::int64_t{arithmetic.bias[o]}) <= kMost) continue;
    return fail(ErrorCode::kUnsupported, fmt::format("sums of channel {} may leave int32", o));
  }
  const auto n = static_cast<std::size_t>(shape.n);
  kernels::GemmU8 call{.m = shape.m, .n = shape.n, .k = shape.k, .a_stride = shape.k, .c_stride = shape.n, .to = arithmetic.to};
  MORU_ASSIGN_OR_RETURN(call.w_zero, keep_channels<std::int32_t>(lowering, arithmetic.w_zero, 0, shape.n));
  MORU_ASSIGN_OR_RETURN(call.to.factor, keep_channels<float>(lowering, arithmetic.factor, 0, shape.n));
  MORU_ASSIGN_OR_RETURN(const std::int32_t* bias, keep_channels<std::int32_t>(lowering, arithmetic.bias, 0, shape.n));
  const kernels::Kernels kernels = kernels_for_sums(lowering, arithmetic, magnitudes);
  const PairLevelsStep::Scratch scratch{.rows = lowering.scratch(n * static_cast<std::size_t>(shape.k)),
                                        .packed = lowering.scratch(kernels.gemm_u8->packed_bytes(shape.n, 1, shape.k)),
                                        .bias = lowering.scratch(static_cast<std::size_t>(kernels::padded(shape.n)) * sizeof(std::int32_t)),
                                        .row_sums = lowering.scratch(static_cast<std::size_t>(shape.m) * sizeof(std::int32_t))};
  lowering.add(std::make_unique<PairLevelsStep>(shape, buffers, scratch, call, arithmetic.x_zero, bias, kernels),
               {buffers.a, buffers.b, buffers.y, scratch.rows, scratch.packed, scratch.bias, scratch.row_sums});
  return {};
}

}  // namespace moru::runtime::engine
