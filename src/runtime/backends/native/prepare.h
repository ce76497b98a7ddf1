// SPDX-License-Identifier: Apache-2.0
// From a graph as a file has it to one that the engine plans.
#pragma once

#include <span>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::runtime::native {

/// After the passes that the engine's plans are made of. `graph` in ONNX's words.
Result<model::Graph> prepare_graph(model::Graph graph);

/// With these extents of its inputs, as a plan needs them: those that have a name, or stand in an input, become numbers, and what follows
/// from them is inferred.
Result<model::Graph> with_extents(const model::Graph& graph, std::span<const model::Dims> extents);

}  // namespace moru::runtime::native
