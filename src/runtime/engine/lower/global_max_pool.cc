// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/pool.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kChannelsLast));
  if (!x.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kChannelsLast));
  MORU_ASSIGN_OR_RETURN(const PoolGeometry geometry, read_pool_geometry(node, x.dims, y.dims));
  return add_max_pool(lowering, geometry, x, y);
}

}  // namespace

extern const LowerSpec kLower_global_max_pool;
const LowerSpec kLower_global_max_pool{.name = "GlobalMaxPool", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
