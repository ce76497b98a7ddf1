// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const float alpha, model::float_attribute(node, "alpha", 1.0F));
  return lower_map(lowering, node, lowering.kernels().map->elu, alpha);
}

}  // namespace

extern const LowerSpec kLower_elu;
const LowerSpec kLower_elu{.name = "Elu", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
