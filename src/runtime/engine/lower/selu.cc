// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const float alpha, model::float_attribute(node, "alpha", 1.67326319217681884765625F));
  MORU_ASSIGN_OR_RETURN(const float gamma, model::float_attribute(node, "gamma", 1.05070102214813232421875F));
  return lower_unary(lowering, node, [alpha, gamma](float x) { return gamma * (x > 0.0F ? x : alpha * std::expm1(x)); });
}

}  // namespace

extern const LowerSpec kLower_selu;
const LowerSpec kLower_selu{.name = "Selu", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
