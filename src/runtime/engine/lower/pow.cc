// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/binary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_binary(lowering, node, {.one = [](float a, float b) { return std::pow(a, b); }});
}

}  // namespace

extern const LowerSpec kLower_pow;
const LowerSpec kLower_pow{.name = "Pow", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
