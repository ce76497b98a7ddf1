// SPDX-License-Identifier: Apache-2.0
// What can be said about single transposes and reshapes, without a region. Each function gives the number of its changes.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model::layout {

/// Two transposes in a row become one or none; one of a constant becomes a constant.
std::int64_t merge_transposes(Graph& graph);
/// transpose -> reshape to [..., K] -> matrix product with constant weights: the weights' rows change their places instead.
std::int64_t fold_into_weights(Graph& graph);
/// Transposes that move only extents of 1 become reshapes; of reshapes in a row the last is enough.
std::int64_t simplify_reshapes(Graph& graph);

}  // namespace moru::model::layout
