// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_unary(lowering, node,
                     [](float x) { return x * std::tanh(x > 0.0F ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x))); });
}

}  // namespace

extern const LowerSpec kLower_mish;
const LowerSpec kLower_mish{.name = "Mish", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
