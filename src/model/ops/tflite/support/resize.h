// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model::tflite_ops {

enum class Interpolation : std::uint8_t { kBilinear, kNearest };

/// input [N, H, W, C], size [2] (H', W') -> output [N, H', W', C], with align_corners and half_pixel_centers.
Status infer_resize(InferContext& context);
Status run_resize(EvalContext& context, Interpolation interpolation);

}  // namespace moru::model::tflite_ops
