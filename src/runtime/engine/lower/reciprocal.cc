// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_unary(lowering, node, [](float x) { return 1.0F / x; });
}

}  // namespace

extern const LowerSpec kLower_reciprocal;
const LowerSpec kLower_reciprocal{.name = "Reciprocal", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
