// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const float alpha, model::float_attribute(node, "alpha", 1.0F));
  return lower_unary(lowering, node, [alpha](float x) { return x > alpha ? x : 0.0F; });
}

}  // namespace

extern const LowerSpec kLower_thresholded_relu;
const LowerSpec kLower_thresholded_relu{.name = "ThresholdedRelu", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
