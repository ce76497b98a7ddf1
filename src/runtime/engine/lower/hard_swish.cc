// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_unary(lowering, node, [](float x) { return x * std::clamp(x / 6.0F + 0.5F, 0.0F, 1.0F); });
}

}  // namespace

extern const LowerSpec kLower_hard_swish;
const LowerSpec kLower_hard_swish{.name = "HardSwish", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
