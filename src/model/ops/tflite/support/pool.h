// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model::tflite_ops {

enum class PoolKind : std::uint8_t { kAverage, kMax, kL2 };

/// input [N, H, W, C] -> output [N, H', W', C], by filter_height, filter_width, strides and padding.
Status infer_pool(InferContext& context, std::initializer_list<DType> allowed);
Status run_pool(EvalContext& context, PoolKind kind);

}  // namespace moru::model::tflite_ops
