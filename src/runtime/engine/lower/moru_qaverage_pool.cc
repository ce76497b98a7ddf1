// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/matrix.h"
#include "runtime/engine/pool.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  enum Input : std::size_t { kX, kXZero, kXScale, kYScale, kYZero };
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, kX, Layout::kChannelsLast));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kChannelsLast));
  MORU_ASSIGN_OR_RETURN(const PoolGeometry geometry, read_pool_geometry(node, x.dims, y.dims));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* x_scale, lowering.constant(node, kXScale));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* y_scale, lowering.constant(node, kYScale));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* y_zero, lowering.constant(node, kYZero));
  MeanLevels mean;
  MORU_ASSIGN_OR_RETURN(mean.x_zero, read_zero(lowering, node, kXZero));
  MORU_ASSIGN_OR_RETURN(mean.to, read_requantize(node, *y_zero));
  mean.factors.push_back(0);  // a window that lies outside has no sum
  for (int n = 1; n <= geometry.taps(); ++n) {
    mean.factors.push_back(static_cast<float>(double{x_scale->data<float>()[0]} / (double{y_scale->data<float>()[0]} * n)));
    if (!std::isfinite(mean.factors.back())) return fail(ErrorCode::kInvalidArgument, "found scales whose quotient is no finite number");
  }
  return add_mean_pool(lowering, geometry, x.buffer, y.buffer, std::move(mean));
}

}  // namespace

extern const LowerSpec kLower_moru_qaverage_pool;
const LowerSpec kLower_moru_qaverage_pool{.name = "QAveragePool", .domain = "moru", .lower = lower};

}  // namespace moru::runtime::engine
