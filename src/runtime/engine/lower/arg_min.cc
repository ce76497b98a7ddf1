// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/lines.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) { return lower_arg(lowering, node, Extreme::kSmallest); }

}  // namespace

extern const LowerSpec kLower_arg_min;
const LowerSpec kLower_arg_min{.name = "ArgMin", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
