// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/engine/lowering.h"
#include "runtime/engine/matrix.h"

namespace moru::runtime::engine {

/// A softmax sees its input as [outer, axis, inner].
struct SoftmaxShape {
  std::size_t outer = 1;
  std::size_t axis = 1;
  std::size_t inner = 1;
};
/// Of a Softmax node on a value of `dims`.
Result<SoftmaxShape> read_softmax(const model::Node& node, const model::Dims& dims);

/// When the output of `dequantize`, whose input is `x`, is used by one Softmax only, and that by one QuantizeLinear only, lowers the
/// three as one step from levels to levels: an exponential a level instead of one an element, and the same bits.
Result<bool> absorb_softmax(Lowering& lowering, const model::Node& dequantize, const Stored& x, const LevelScale& scale);

}  // namespace moru::runtime::engine
