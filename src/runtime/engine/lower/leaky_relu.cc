// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const float alpha, model::float_attribute(node, "alpha", 0.01F));
  return lower_map(lowering, node, lowering.kernels().map->leaky_relu, alpha);
}

}  // namespace

extern const LowerSpec kLower_leaky_relu;
const LowerSpec kLower_leaky_relu{.name = "LeakyRelu", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
