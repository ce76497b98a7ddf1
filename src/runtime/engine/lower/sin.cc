// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_unary(lowering, node, [](float x) { return std::sin(x); });
}

}  // namespace

extern const LowerSpec kLower_sin;
const LowerSpec kLower_sin{.name = "Sin", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
