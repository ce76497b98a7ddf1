// SPDX-License-Identifier: Apache-2.0
// Open extents that are settled when a model is loaded.
#pragma once

#include <string_view>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::runtime::native {

/// The graph with extents in place of the open ones of its inputs: `text` is "4" for all of them, "N=4,T=16" for those of these names, or
/// "N=4,1" for those and all others. Errors: kInvalidArgument for a text that is neither, a name that no input has, an extent left open.
Result<model::Graph> bind_extents(const model::Graph& graph, std::string_view text);

}  // namespace moru::runtime::native
