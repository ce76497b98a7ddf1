// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const float alpha, model::float_attribute(node, "alpha", 0.2F));
  MORU_ASSIGN_OR_RETURN(const float beta, model::float_attribute(node, "beta", 0.5F));
  return lower_map(lowering, node, lowering.kernels().map->hard_sigmoid, alpha, beta);
}

}  // namespace

extern const LowerSpec kLower_hard_sigmoid;
const LowerSpec kLower_hard_sigmoid{.name = "HardSigmoid", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
