// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/binary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_binary(lowering, node, {.one = [](float a, float b) { return a < 0.0F ? a * b : a; }});
}

}  // namespace

extern const LowerSpec kLower_prelu;
const LowerSpec kLower_prelu{.name = "PRelu", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
