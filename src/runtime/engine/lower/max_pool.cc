// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/pool.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  if (node.outputs.size() > 1 && node.outputs[1] != model::kNoValue) {
    return fail(ErrorCode::kUnsupported, "found a use of the indices, expected one of the values only");
  }
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kChannelsLast));
  if (!x.is_float() && !x.is_levels()) return fail(ErrorCode::kUnsupported, "expected float32, int8 or uint8");
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kChannelsLast));
  MORU_ASSIGN_OR_RETURN(const PoolGeometry geometry, read_pool_geometry(node, x.dims, y.dims));
  return add_max_pool(lowering, geometry, x, y);
}

}  // namespace

extern const LowerSpec kLower_max_pool;
const LowerSpec kLower_max_pool{.name = "MaxPool", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
