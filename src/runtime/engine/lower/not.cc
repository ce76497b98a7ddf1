// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/elements.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_elements<std::uint8_t, std::uint8_t>(lowering, node, [](std::uint8_t x) { return static_cast<std::uint8_t>(x == 0); });
}

}  // namespace

extern const LowerSpec kLower_not;
const LowerSpec kLower_not{.name = "Not", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
