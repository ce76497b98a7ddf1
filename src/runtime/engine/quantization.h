// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear and DequantizeLinear of activations that are no levels of one scale: 16 and 32 bits, a scale an index of an axis.
#pragma once

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

/// Whether `dtype` is int8 or uint8 and the node has one scale: the usual form, which has kernels.
Result<bool> has_one_level_scale(Lowering& lowering, const model::Node& node, model::DType dtype);

/// Lower a node of another form. kUnsupported for blocks, and for scales that are computed.
Status lower_dequantize(Lowering& lowering, const model::Node& node);
Status lower_quantize(Lowering& lowering, const model::Node& node);

}  // namespace moru::runtime::engine
