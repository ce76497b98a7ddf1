// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/pool.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kChannelsLast));
  if (!x.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
  model::ValueId y = node.outputs.front();
  MORU_ASSIGN_OR_RETURN(const model::Dims y_dims, lowering.dims(y));
  MORU_ASSIGN_OR_RETURN(const PoolGeometry geometry, read_pool_geometry(node, x.dims, y_dims));
  const Bounds bounds = lowering.absorb_bounds(y);
  MORU_ASSIGN_OR_RETURN(const Stored out, lowering.output(y, Layout::kChannelsLast));
  return add_mean_pool(lowering, geometry, x.buffer, out.buffer, bounds);
}

}  // namespace

extern const LowerSpec kLower_average_pool;
const LowerSpec kLower_average_pool{.name = "AveragePool", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
