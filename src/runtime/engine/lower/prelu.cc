// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/binary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) { return lower_binary(lowering, node, lowering.kernels().map->prelu); }

}  // namespace

extern const LowerSpec kLower_prelu;
const LowerSpec kLower_prelu{.name = "PRelu", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
