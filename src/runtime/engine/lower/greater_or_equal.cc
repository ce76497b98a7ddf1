// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/elements.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_comparison(lowering, node, [](auto a, auto b) { return static_cast<std::uint8_t>(a >= b); });
}

}  // namespace

extern const LowerSpec kLower_greater_or_equal;
const LowerSpec kLower_greater_or_equal{.name = "GreaterOrEqual", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
