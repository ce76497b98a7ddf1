// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::runtime::litert {

/// Scales for which kernels of LiteRT end the process instead of refusing the model: those of sums and comparisons of integers that give
/// a multiplier outside 0 to 1. kUnsupported, naming the node.
Status check_scales(const model::Graph& graph);

}  // namespace moru::runtime::litert
