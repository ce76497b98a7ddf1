// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const float alpha, model::float_attribute(node, "alpha", 0.2F));
  MORU_ASSIGN_OR_RETURN(const float beta, model::float_attribute(node, "beta", 0.5F));
  return lower_unary(lowering, node, [alpha, beta](float x) { return std::clamp(alpha * x + beta, 0.0F, 1.0F); });
}

}  // namespace

extern const LowerSpec kLower_hard_sigmoid;
const LowerSpec kLower_hard_sigmoid{.name = "HardSigmoid", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
