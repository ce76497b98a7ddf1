// SPDX-License-Identifier: Apache-2.0
// What QuantizeLinear and DequantizeLinear share: inputs (x, scale, zero point), one scale for all, one an index of axis, or
// one a block along axis.
#pragma once

#include <cstdint>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"
#include "model/ops/versions.h"

namespace moru::model::ops {

/// Integers that stand for reals, in at most 16 bits, and the floats of 8 bits that do.
inline constexpr std::initializer_list<DType> kLevelTypes = {
    DType::kInt8,  DType::kUInt8,        DType::kInt16,          DType::kUInt16,     DType::kInt4,
    DType::kUInt4, DType::kFloat8E4M3FN, DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2, DType::kFloat8E5M2FNUZ};
inline constexpr std::initializer_list<DType> kLevelTypesOrInt32 = {
    DType::kInt8,  DType::kUInt8,        DType::kInt16,          DType::kUInt16,     DType::kInt4,          DType::kInt32,
    DType::kUInt4, DType::kFloat8E4M3FN, DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2, DType::kFloat8E5M2FNUZ};
bool is_float8(DType dtype);

/// Shapes of scale and zero point: scalars or [1] for the whole tensor, else [extent of axis], or, with block_size, as x but
/// ceil(extent / block_size) on axis. Sets output 0 to x's shape and `output` type.
Status infer_quantization(InferContext& context, std::optional<DType> output);

/// How the elements lie: which scale element i belongs to.
struct ScaleLayout {
  std::int64_t inner = 1;   ///< elements from one index of axis to the next
  std::int64_t extent = 1;  ///< of axis
  std::int64_t block = 0;   ///< 0: no blocks
  std::int64_t blocks = 0;
  std::size_t of(std::int64_t i) const {
    const std::int64_t at = i / inner % extent;
    if (block == 0) return static_cast<std::size_t>(at);
    return static_cast<std::size_t>((i / (inner * extent) * blocks + at / block) * inner + i % inner);
  }
};
Result<ScaleLayout> scale_layout(const EvalContext& context);

/// Integers of any of the types above, or int32, as int32.
Result<Tensor> levels_as_int32(const Tensor& levels);

/// downgrade(): kUnsupported for types that the opset does not quantise to (16 and 4 bits: 21, floats of 8: 19), and for blocks.
Status downgrade_quantization(NodeRewrite& rewrite, std::optional<DType> levels);

}  // namespace moru::model::ops
