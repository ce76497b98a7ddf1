// SPDX-License-Identifier: Apache-2.0
// A node of a graph as a model of its own.
#pragma once

#include <cstddef>
#include <string>

#include "model/graph/graph.h"

namespace moru::runtime {

/// The node with its constants as initializers; what else it uses are the inputs, of the types that the graph knows. Values have names of
/// places ("x0", "y0"), so that two nodes which differ in names alone make the same model.
model::Graph one_node(const model::Graph& graph, std::size_t index);

/// Text that is the same for nodes which a backend takes alike: op, attributes, types, and constants where they are small enough to be
/// parameters (axes, shapes), but not weights.
std::string kind_of_node(const model::Graph& graph, std::size_t index);

}  // namespace moru::runtime
