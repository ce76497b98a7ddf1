// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/binary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) { return lower_variadic(lowering, node, lowering.kernels().map->add); }

}  // namespace

extern const LowerSpec kLower_sum;
const LowerSpec kLower_sum{.name = "Sum", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
