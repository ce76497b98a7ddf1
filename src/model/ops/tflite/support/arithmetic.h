// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model::tflite_ops {

enum class Arithmetic : std::uint8_t { kAdd, kSubtract, kMultiply, kDivide, kSquaredDifference };

/// output = activation(input1 op input2) with stretched shapes; floats, plain integers (they wrap around) and quantised ones.
/// Errors: kInvalidArgument for a division by zero of integers, kUnsupported for quantised division.
Status run_arithmetic(EvalContext& context, Arithmetic op);

}  // namespace moru::model::tflite_ops
