// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model::tflite_ops {

enum class Reduction : std::uint8_t { kMean, kSum, kMax, kMin, kProduct, kAny, kAll };

/// input 1 holds the axes (negative ones count from the end, doubles count once); keep_dims keeps them with extent 1.
Status infer_reduce(InferContext& context, std::initializer_list<DType> allowed);
Status run_reduce(EvalContext& context, Reduction reduction);

}  // namespace moru::model::tflite_ops
