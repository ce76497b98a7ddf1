// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored stored, lowering.input(node, 0));
  lowering.alias(node.outputs.front(), stored);
  return {};
}

}  // namespace

extern const LowerSpec kLower_identity;
const LowerSpec kLower_identity{.name = "Identity", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
