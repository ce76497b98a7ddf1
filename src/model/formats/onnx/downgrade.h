// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model::onnx {

/// A graph on its way to a file, whose nodes mean what its opset says.
struct Downgraded {
  Graph graph;
  std::set<ValueId> dropped;  ///< initializers that nothing uses any more, since they have become attributes
};

/// Brings each node, also those of bodies, to the meaning that `opset` has for it. Errors: kUnsupported, naming the node: an op that is
/// newer, or that the opset cannot say.
Result<Downgraded> downgraded(Graph graph, std::int64_t opset);

}  // namespace moru::model::onnx
