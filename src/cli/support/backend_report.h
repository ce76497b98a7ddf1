// SPDX-License-Identifier: Apache-2.0
// How `moru model check --backend` says what a backend makes of a model.
#pragma once

#include <string>
#include <string_view>

#include "core/json_fwd.h"
#include "model/graph/graph.h"
#include "runtime/supports/supports.h"

namespace moru::cli {

/// For people: a table by op, then what does not run, grouped by the backend's words.
std::string to_text(const runtime::Support& support, const model::Graph& graph, std::string_view backend);
Json to_json(const runtime::Support& support, const model::Graph& graph, std::string_view backend);

}  // namespace moru::cli
