// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model::tflite_ops {

enum class Border : std::uint8_t { kZero, kConstant, kReflect, kSymmetric };

/// input 1 is [rank, 2], before and after each axis.
Status infer_pad(InferContext& context);
Status run_pad(EvalContext& context, Border border);

}  // namespace moru::model::tflite_ops
