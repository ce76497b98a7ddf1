// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model {

/// Checks the graph's invariants (model/graph/graph.h), that every op of ONNX's own domain is known (a node
/// of another domain whose op is not known is kept as it is), that bodies fit what is around them, and that the count of inputs and
/// outputs and the names and types of attributes fit the op's schema. Errors: kInvalidArgument or kUnsupported (unknown
/// op), naming the node.
Status verify(const Graph& graph);

/// Infers the types of all values from inputs and initializers; a type that is already there must agree.
/// Errors: kInvalidArgument naming the node.
Status infer_shapes(Graph& graph);

/// The same for the outputs of one node, from the types that its inputs have so far.
Status infer_node(Graph& graph, Node& node);

}  // namespace moru::model
