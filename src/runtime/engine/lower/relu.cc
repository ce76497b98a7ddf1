// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) { return lower_clamp(lowering, node, {.low = 0}); }

}  // namespace

extern const LowerSpec kLower_relu;
const LowerSpec kLower_relu{.name = "Relu", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
