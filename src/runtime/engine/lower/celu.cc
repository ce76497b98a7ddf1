// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const float alpha, model::float_attribute(node, "alpha", 1.0F));
  return lower_unary(lowering, node, [alpha](float x) { return x > 0.0F ? x : alpha * std::expm1(x / alpha); });
}

}  // namespace

extern const LowerSpec kLower_celu;
const LowerSpec kLower_celu{.name = "Celu", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
