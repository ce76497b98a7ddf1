// SPDX-License-Identifier: Apache-2.0
// The loops that CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED share.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model::tflite_ops {

/// A layer as a convolution: x [N, H, W, C], w [O, kH, kW, C / groups] or, by depth, [1, kH, kW, O]; y [N, H', W', O].
struct Layer {
  std::int64_t batch = 1;
  std::int64_t h = 1, w = 1, c = 1;
  std::int64_t out_h = 1, out_w = 1, out_c = 1;
  std::int64_t depth = 1;  ///< input channels that one output channel sums over
  bool by_depth = false;   ///< output channel o reads input channel o / (out_c / c) alone
  Slides slides;
};

/// Types of inputs 0 (x), 1 (w) and 2 (bias, may be left out): float32, or 8 bits, or 16 bits with 8-bit weights, or float32 with
/// 8-bit weights ("dynamic range"). Gives the type of the output.
Result<std::optional<DType>> layer_dtype(const InferContext& context);

/// y = activation(x * w + bias). Reals are summed in double and rounded once; integers as TFLite's reference kernels. With a
/// dynamic range each batch of x becomes 8 bits first: symmetric, or from its least to its largest element where convolutions
/// have a scale a channel or `asymmetric_quantize_inputs` is set.
Status run_layer(EvalContext& context, const Layer& layer);

}  // namespace moru::model::tflite_ops
