// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/binary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_variadic(lowering, node, lowering.kernels().map->add, 1.0F / static_cast<float>(node.inputs.size()));
}

}  // namespace

extern const LowerSpec kLower_mean;
const LowerSpec kLower_mean{.name = "Mean", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
