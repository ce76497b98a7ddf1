// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_unary(lowering, node, [](float x) { return std::ceil(x); });
}

}  // namespace

extern const LowerSpec kLower_ceil;
const LowerSpec kLower_ceil{.name = "Ceil", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
