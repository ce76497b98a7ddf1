// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "runtime/engine/levels_pair.h"
#include "runtime/engine/matrix.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  enum Input : std::size_t { kA, kAZero, kAFactor, kB, kBZero, kBFactor, kYZero };
  MORU_ASSIGN_OR_RETURN(const Stored a, lowering.input(node, kA));
  MORU_ASSIGN_OR_RETURN(const Stored b, lowering.input(node, kB));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), a.count() >= b.count() ? a.layout : b.layout));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* a_factor, lowering.constant(node, kAFactor));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* b_factor, lowering.constant(node, kBFactor));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* y_zero, lowering.constant(node, kYZero));
  MORU_ASSIGN_OR_RETURN(const kernels::Requantize to, read_requantize(node, *y_zero));
  kernels::AddU8 call{.low = to.low, .high = to.high, .zero = to.zero};
  MORU_ASSIGN_OR_RETURN(call.a_zero, read_zero(lowering, node, kAZero));
  MORU_ASSIGN_OR_RETURN(call.b_zero, read_zero(lowering, node, kBZero));
  call.a_factor = a_factor->data<float>()[0];
  call.b_factor = b_factor->data<float>()[0];
  // Their sums must be numbers, too: 255 steps of each.
  constexpr float kMost = 1e30F;
  if (!(std::fabs(call.a_factor) < kMost) || !(std::fabs(call.b_factor) < kMost)) {
    return fail(ErrorCode::kInvalidArgument, "found factors that are not finite or huge, expected less than 1e30");
  }
  // As kernels_for_sums().
  const bool in_range = std::max(std::fabs(call.a_factor), std::fabs(call.b_factor)) < float{1 << 20};
  const kernels::Kernels kernels = in_range ? lowering.kernels() : kernels::kernels_for(kernels::Isa::kScalar);
  add_levels_pair(lowering, a, b, y, call, kernels.elementwise->add_u8);
  return {};
}

}  // namespace

extern const LowerSpec kLower_moru_qadd;
const LowerSpec kLower_moru_qadd{.name = "QAdd", .domain = "moru", .lower = lower};

}  // namespace moru::runtime::engine
