// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_unary(lowering, node, [](float x) { return std::log(x); });
}

}  // namespace

extern const LowerSpec kLower_log;
const LowerSpec kLower_log{.name = "Log", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
