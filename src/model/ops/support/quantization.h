// SPDX-License-Identifier: Apache-2.0
// What QuantizeLinear and DequantizeLinear share: inputs (x, scale, zero point), one scale for all or one an index of axis.
#pragma once

#include <cstdint>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"

namespace moru::model::ops {

/// Shapes of scale and zero point: scalars or [1] for the whole tensor, else [extent of axis]. Sets output 0 to x's shape
/// and `output` type.
Status infer_quantization(InferContext& context, std::optional<DType> output);

/// How the elements lie: element i belongs to scale (i / inner) % scales.
struct ScaleLayout {
  std::int64_t scales = 1;
  std::int64_t inner = 1;
  std::size_t of(std::int64_t i) const { return static_cast<std::size_t>((i / inner) % scales); }
};
Result<ScaleLayout> scale_layout(const EvalContext& context);

}  // namespace moru::model::ops
