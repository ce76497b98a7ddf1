// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/engine/pool.h"

namespace moru::runtime::engine {
namespace {

/// Over the spatial axes, which is a pool over the whole plane; its output may lack them.
Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kChannelsLast));
  if (x.is_levels()) return fail(ErrorCode::kUnsupported, "expected float32");
  const auto rank = static_cast<std::int64_t>(x.dims.size());
  std::vector<std::int64_t> axes;
  if (lowering.has_input(node, 1)) {
    MORU_ASSIGN_OR_RETURN(const model::Tensor* tensor, lowering.constant(node, 1));
    axes.assign(tensor->data<std::int64_t>().begin(), tensor->data<std::int64_t>().end());
  }
  for (std::int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::ranges::sort(axes);
  std::vector<std::int64_t> spatial;
  for (std::int64_t axis = 2; axis < rank; ++axis) spatial.push_back(axis);
  if (spatial.empty() || axes != spatial)
    return fail(ErrorCode::kUnsupported, "expected a mean over all spatial axes of [N, C, spatial...]");
  model::ValueId y = node.outputs.front();
  model::Dims pooled = x.dims;
  std::fill(pooled.begin() + 2, pooled.end(), 1);
  MORU_ASSIGN_OR_RETURN(const PoolGeometry geometry, read_pool_geometry(model::Node{}, x.dims, pooled));
  const Bounds bounds = lowering.absorb_bounds(y);
  MORU_ASSIGN_OR_RETURN(const Stored out, lowering.output(y, Layout::kPlain));
  return add_mean_pool(lowering, geometry, x.buffer, out.buffer, bounds);
}

}  // namespace

extern const LowerSpec kLower_reduce_mean;
const LowerSpec kLower_reduce_mean{.name = "ReduceMean", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
