// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/binary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_binary<true>(lowering, node, lowering.kernels().map->sub, [](auto a, auto b) { return a - b; });
}

}  // namespace

extern const LowerSpec kLower_sub;
const LowerSpec kLower_sub{.name = "Sub", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
