// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "model/graph/graph.h"

namespace moru::model::layout {

/// The pass cancel_transposes on a graph whose values have types, also one that is on its way from one format to another and
/// would not verify. Gives the number of changes. Cost: quadratic in the number of nodes around transposes.
std::int64_t cancel_transposes(Graph& graph);

}  // namespace moru::model::layout
