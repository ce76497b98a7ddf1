// SPDX-License-Identifier: Apache-2.0
// Activations whose integer arithmetic is their own.
#pragma once

#include <optional>

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model::tflite_ops {

/// y = min(max(x, low), high); of quantised integers on the output's scale.
Status run_clamp(EvalContext& context, float low, std::optional<float> high);
Status run_hard_swish(EvalContext& context);
/// Input and output may have other scales: each half of the line has a multiplier.
Status run_leaky_relu(EvalContext& context, float alpha);
Status run_prelu(EvalContext& context);
Status run_abs(EvalContext& context);

/// The logistic function and tanh of 16-bit integers, whose scale is best 2^-12: 256 values at distances of 1/24, between which
/// is interpolated. The output's scale is 2^-15.
Status logistic16(EvalContext& context);
Status tanh16(EvalContext& context);

}  // namespace moru::model::tflite_ops
