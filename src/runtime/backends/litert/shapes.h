// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/graph/graph.h"

namespace moru::runtime::litert {

/// Whether the shape of every value follows from those of the inputs, so that it is known before a run; what the file claims about
/// values that ops make counts for nothing. False too where it cannot be told: custom ops, bodies, shapes of inputs for which no
/// extents that fit were found.
bool shapes_follow_inputs(const model::Graph& graph);

}  // namespace moru::runtime::litert
