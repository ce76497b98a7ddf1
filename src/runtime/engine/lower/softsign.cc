// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_unary(lowering, node, [](float x) { return x / (1.0F + std::fabs(x)); });
}

}  // namespace

extern const LowerSpec kLower_softsign;
const LowerSpec kLower_softsign{.name = "Softsign", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
