// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/elements.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_elements<std::uint8_t, std::uint8_t, std::uint8_t>(
      lowering, node, [](std::uint8_t a, std::uint8_t b) { return static_cast<std::uint8_t>(a != 0 || b != 0); });
}

}  // namespace

extern const LowerSpec kLower_or;
const LowerSpec kLower_or{.name = "Or", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
