// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_unary(lowering, node, [](float x) { return std::nearbyint(x); });
}

}  // namespace

extern const LowerSpec kLower_round;
const LowerSpec kLower_round{.name = "Round", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
