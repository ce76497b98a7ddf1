// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/movement.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) { return lower_movement(lowering, node); }

}  // namespace

extern const LowerSpec kLower_slice;
const LowerSpec kLower_slice{.name = "Slice", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
