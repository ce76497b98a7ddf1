// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) { return lower_map(lowering, node, lowering.kernels().map->ceil); }

}  // namespace

extern const LowerSpec kLower_ceil;
const LowerSpec kLower_ceil{.name = "Ceil", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
