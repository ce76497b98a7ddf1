// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/movement.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  constexpr std::size_t kConstantValue = 2;
  return lower_movement(lowering, node, kConstantValue);
}

}  // namespace

extern const LowerSpec kLower_pad;
const LowerSpec kLower_pad{.name = "Pad", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
