// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/movement.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) { return lower_movement(lowering, node); }

}  // namespace

extern const LowerSpec kLower_space_to_depth;
const LowerSpec kLower_space_to_depth{.name = "SpaceToDepth", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
