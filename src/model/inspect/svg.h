// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model {

/// A picture of the graph for people, as SVG: a box a node from top to bottom, lines with type and shape between them, weights as
/// lines in the box that uses them, bodies of If, Loop and Scan in frames beside it. Text of the file is escaped and cut short.
/// Deterministic. kResourceExhausted above 20,000 nodes. Cost: 1,000 nodes take some 20 ms.
Result<std::string> to_svg(const Graph& graph);

}  // namespace moru::model
