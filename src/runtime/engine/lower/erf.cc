// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) { return lower_map(lowering, node, lowering.kernels().map->erf); }

}  // namespace

extern const LowerSpec kLower_erf;
const LowerSpec kLower_erf{.name = "Erf", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
