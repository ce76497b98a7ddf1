// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/levels_pair.h"
#include "runtime/engine/matrix.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  enum Input : std::size_t { kA, kAZero, kB, kBZero, kFactor, kYZero };
  MORU_ASSIGN_OR_RETURN(const Stored a, lowering.input(node, kA));
  MORU_ASSIGN_OR_RETURN(const Stored b, lowering.input(node, kB));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), a.count() >= b.count() ? a.layout : b.layout));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* factor, lowering.constant(node, kFactor));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* y_zero, lowering.constant(node, kYZero));
  MORU_ASSIGN_OR_RETURN(const kernels::Requantize to, read_requantize(node, *y_zero));
  kernels::MulU8 call{.factor = factor->data<float>()[0], .low = to.low, .high = to.high, .zero = to.zero};
  MORU_ASSIGN_OR_RETURN(call.a_zero, read_zero(lowering, node, kAZero));
  MORU_ASSIGN_OR_RETURN(call.b_zero, read_zero(lowering, node, kBZero));
  if (!std::isfinite(call.factor)) return fail(ErrorCode::kInvalidArgument, "found a factor that is not finite");
  add_levels_pair(lowering, a, b, y, call, lowering.kernels().elementwise->mul_u8);
  return {};
}

}  // namespace

extern const LowerSpec kLower_moru_qmul;
const LowerSpec kLower_moru_qmul{.name = "QMul", .domain = "moru", .lower = lower};

}  // namespace moru::runtime::engine
