// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/normalize.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t groups, model::int_attribute(node, "num_groups", 1));
  return lower_normalization(lowering, node, groups);
}

}  // namespace

extern const LowerSpec kLower_group_normalization;
const LowerSpec kLower_group_normalization{.name = "GroupNormalization", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
