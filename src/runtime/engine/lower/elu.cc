// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const float alpha, model::float_attribute(node, "alpha", 1.0F));
  return lower_unary(lowering, node, [alpha](float x) { return x < 0.0F ? alpha * std::expm1(x) : x; });
}

}  // namespace

extern const LowerSpec kLower_elu;
const LowerSpec kLower_elu{.name = "Elu", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
