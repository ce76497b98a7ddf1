// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/normalize.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const model::Dims dims, lowering.dims(node.inputs.front()));
  return lower_normalization(lowering, node, dims[1]);
}

}  // namespace

extern const LowerSpec kLower_instance_normalization;
const LowerSpec kLower_instance_normalization{.name = "InstanceNormalization", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
