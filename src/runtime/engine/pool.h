// SPDX-License-Identifier: Apache-2.0
// Pooling over one or two spatial axes, channels last.
#pragma once

#include <vector>

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

/// Where the windows along one axis lie.
struct PoolAxis {
  int in = 1;
  int out = 1;
  int kernel = 1;
  int stride = 1;
  int dilation = 1;
  int pad_begin = 0;
  int pad_end = 0;
};
struct PoolGeometry {
  int batch = 0;
  int channels = 0;
  PoolAxis y = {};
  PoolAxis x = {};
  bool count_padding = false;  ///< in means
  int taps() const { return y.kernel * x.kernel; }
};

/// From a pooling node without or with kernel_shape (without: the whole plane). kUnsupported for more than two spatial axes.
Result<PoolGeometry> read_pool_geometry(const model::Node& node, const model::Dims& x, const model::Dims& y);

Status add_max_pool(Lowering& lowering, const PoolGeometry& geometry, const Stored& x, const Stored& y);
Status add_mean_pool(Lowering& lowering, const PoolGeometry& geometry, BufferId x, BufferId y, Bounds bounds);

/// Means of levels: what becomes of the sum of n of them.
struct MeanLevels {
  std::int32_t x_zero = 0;
  std::vector<float> factors;  ///< by n, from 0 to taps
  kernels::Requantize to;
};
Status add_mean_pool(Lowering& lowering, const PoolGeometry& geometry, BufferId x, BufferId y, MeanLevels mean);

}  // namespace moru::runtime::engine
