// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/binary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return node.inputs.size() == 2 ? lower_binary(lowering, node, lowering.kernels().map->min)
                                 : lower_variadic(lowering, node, lowering.kernels().map->min);
}

}  // namespace

extern const LowerSpec kLower_min;
const LowerSpec kLower_min{.name = "Min", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
