// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  Bounds bounds;
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    if (!lowering.has_input(node, i)) continue;
    MORU_ASSIGN_OR_RETURN(const model::Tensor* bound, lowering.constant(node, i));
    if (bound->dtype() != model::DType::kFloat32) return fail(ErrorCode::kUnsupported, "expected float32");
    (i == 1 ? bounds.low : bounds.high) = bound->data<float>()[0];
  }
  return lower_clamp(lowering, node, bounds);
}

}  // namespace

extern const LowerSpec kLower_clip;
const LowerSpec kLower_clip{.name = "Clip", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
