// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/binary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return node.inputs.size() == 2 ? lower_binary(lowering, node, lowering.kernels().map->max)
                                 : lower_variadic(lowering, node, lowering.kernels().map->max);
}

}  // namespace

extern const LowerSpec kLower_max;
const LowerSpec kLower_max{.name = "Max", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
