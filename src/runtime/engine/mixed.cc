// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/mixed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace moru::runtime::engine {
namespace {

using model::DType;
using model::Node;
using model::Tensor;

/// The node of ONNX's own that makes a value, when it is of this op.
const Node* made_by(const Lowering& lowering, model::ValueId value, std::string_view op) {
  const Node* node = lowering.producer(value);
  return node != nullptr && node->domain.empty() && node->op == op ? node : nullptr;
}

bool is_weight_type(DType dtype) {
  return dtype == DType::kInt8 || dtype == DType::kUInt8 || dtype == DType::kInt4 || dtype == DType::kUInt4;
}

/// As int8 around 0: unsigned ones less half their range.
std::vector<std::int8_t> signed_levels(const Tensor& tensor) {
  const Tensor bytes = model::bits_of(tensor.dtype()) == 4 ? model::unpack_4bit(tensor) : tensor;
  const int shift = tensor.dtype() == DType::kUInt8 ? 128 : tensor.dtype() == DType::kUInt4 ? 8 : 0;
  std::vector<std::int8_t> levels;
  levels.reserve(bytes.bytes().size());
  for (const std::byte byte : bytes.bytes()) levels.push_back(static_cast<std::int8_t>(std::to_integer<int>(byte) - shift));
  return levels;
}

/// Which entry of the scales belongs to weight [k, n]: k / block * k_step + n * n_step.
struct ScaleSteps {
  int block;
  std::size_t k_step;
  std::size_t n_step;
};

/// Of a DequantizeLinear of x [rows, columns] whose k lie along axis `k_axis`.
Result<std::optional<ScaleSteps>> read_steps(const Node& node, const Tensor& x, const Tensor& scale, std::size_t k_axis) {
  MORU_ASSIGN_OR_RETURN(std::int64_t axis, model::int_attribute(node, "axis", 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t block, model::int_attribute(node, "block_size", 0));
  if (axis < 0) axis += 2;
  const auto k = static_cast<int>(x.dims()[k_axis]);
  const int even = k + k % 2;  // all of k is one block
  const bool along_k = axis == static_cast<std::int64_t>(k_axis);
  if (scale.count() == 1 && block == 0) return ScaleSteps{even, 0, 0};
  if (block == 0) return along_k ? std::nullopt : std::optional(ScaleSteps{even, 0, 1});
  if (!along_k || block > even || (block % 2 != 0 && model::bits_of(x.dtype()) == 4)) return std::nullopt;
  const auto columns = static_cast<std::size_t>(scale.dims()[1]);
  return k_axis == 0 ? ScaleSteps{static_cast<int>(block), columns, 1} : ScaleSteps{static_cast<int>(block), 1, columns};
}

}  // namespace

Result<std::optional<MixedWeights>> mixed_weights(Lowering& lowering, model::ValueId b, bool transposed) {
  std::size_t k_axis = transposed ? 1 : 0;
  if (const Node* transpose = made_by(lowering, b, "Transpose")) {
    MORU_ASSIGN_OR_RETURN(const auto perm, model::ints_attribute(*transpose, "perm", {1, 0}));
    if (perm != std::vector<std::int64_t>{1, 0}) return std::nullopt;
    b = transpose->inputs.front();
    k_axis = 1 - k_axis;
  }
  const Node* node = made_by(lowering, b, "DequantizeLinear");
  if (node == nullptr) return std::nullopt;
  MORU_ASSIGN_OR_RETURN(const Tensor* x, lowering.known(node->inputs[0]));
  MORU_ASSIGN_OR_RETURN(const Tensor* scale, lowering.known(node->inputs[1]));
  const bool has_zero = lowering.has_input(*node, 2);
  const Tensor* zero = nullptr;
  if (has_zero) {
    MORU_ASSIGN_OR_RETURN(zero, lowering.known(node->inputs[2]));
  }
  if (x == nullptr || scale == nullptr || (has_zero && zero == nullptr)) return std::nullopt;
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() / 4;
  const bool fits =
      x->rank() == 2 && is_weight_type(x->dtype()) && scale->dtype() == DType::kFloat32 && x->count() > 0 && x->count() < kMost;
  if (!fits || (zero != nullptr && zero->count() != scale->count() && zero->count() != 1)) return std::nullopt;
  MORU_ASSIGN_OR_RETURN(const auto steps, read_steps(*node, *x, *scale, k_axis));
  if (!steps) return std::nullopt;

  const std::vector<std::int8_t> levels = signed_levels(*x);
  const std::vector<std::int8_t> zeros = zero == nullptr ? signed_levels(Tensor::create(x->dtype(), {1}).value()) : signed_levels(*zero);
  MixedWeights weights{.n = static_cast<int>(x->dims()[1 - k_axis]),
                       .k = static_cast<int>(x->dims()[k_axis]),
                       .bits = static_cast<int>(model::bits_of(x->dtype())),
                       .block = steps->block};
  const auto n = static_cast<std::size_t>(weights.n);
  const auto k = static_cast<std::size_t>(weights.k);
  for (std::size_t o = 0; o < n; ++o) {
    for (std::size_t i = 0; i < k; ++i) weights.rows.push_back(levels[k_axis == 1 ? o * k + i : i * n + o]);
  }
  const std::size_t blocks = (k + static_cast<std::size_t>(weights.block) - 1) / static_cast<std::size_t>(weights.block);
  for (std::size_t block = 0; block < blocks; ++block) {
    for (std::size_t o = 0; o < n; ++o) {
      const std::size_t at = block * steps->k_step + o * steps->n_step;
      weights.scale.push_back(scale->data<float>()[at]);
      weights.zero.push_back(static_cast<float>(zeros[zeros.size() == 1 ? 0 : at]));
      if (!std::isfinite(weights.scale.back())) {
        return fail(ErrorCode::kInvalidArgument, fmt::format("found scale {} of weights, expected a finite number", weights.scale.back()));
      }
    }
  }
  return weights;
}

Result<MatrixMixed> make_matrix(Lowering& lowering, const MixedWeights& weights, int m, std::span<const float> bias, Bounds bounds) {
  MatrixMixed matrix;
  matrix.kernel = lowering.kernels().gemm_mixed;
  MORU_ASSIGN_OR_RETURN(std::byte * packed, lowering.keep_bytes(matrix.kernel->packed_bytes(weights.n, weights.k, weights.bits)));
  matrix.kernel->pack(weights.rows.data(), weights.n, weights.k, weights.bits, packed);
  const auto n = static_cast<std::size_t>(weights.n);
  const auto width = static_cast<std::size_t>(kernels::padded(weights.n));
  const auto keep_rows = [&](const std::vector<float>& rows) {
    std::vector<float> wide(rows.size() / n * width, 0.0F);
    for (std::size_t i = 0; i < rows.size(); ++i) wide[i / n * width + i % n] = rows[i];
    return lowering.keep(wide);
  };
  MORU_ASSIGN_OR_RETURN(matrix.call.scale, keep_rows(weights.scale));
  MORU_ASSIGN_OR_RETURN(matrix.call.zero, keep_rows(weights.zero));
  std::vector<float> all(n, 0.0F);
  std::ranges::copy(bias, all.begin());
  MORU_ASSIGN_OR_RETURN(matrix.call.bias, keep_channels<float>(lowering, all, 0, weights.n));
  matrix.cut = {.m = m, .n = weights.n, .rows = m, .slice = weights.n};
  matrix.call.n = weights.n;
  matrix.call.k = weights.k;
  matrix.call.bits = weights.bits;
  matrix.call.block = weights.block;
  matrix.call.weights = packed;
  matrix.call.low = bounds.low;
  matrix.call.high = bounds.high;
  return matrix;
}

}  // namespace moru::runtime::engine
