// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/lines.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) { return lower_arg(lowering, node, Extreme::kLargest); }

}  // namespace

extern const LowerSpec kLower_arg_max;
const LowerSpec kLower_arg_max{.name = "ArgMax", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
