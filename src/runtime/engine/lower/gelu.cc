// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

float by_tanh(float x) { return 0.5F * x * (1.0F + std::tanh(0.79788456F * (x + 0.044715F * x * x * x))); }

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::string approximate, model::string_attribute(node, "approximate", "none"));
  return approximate == "tanh" ? lower_unary(lowering, node, by_tanh) : lower_map(lowering, node, lowering.kernels().map->gelu);
}

}  // namespace

extern const LowerSpec kLower_gelu;
const LowerSpec kLower_gelu{.name = "Gelu", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
