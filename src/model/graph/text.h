// SPDX-License-Identifier: Apache-2.0
// The graph's text form: for golden tests, diffs and people. Grammar in model/graph/README.md.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model {

struct TextOptions {
  /// Initializers with more elements than this are written as type, shape and digest only; such a text cannot be
  /// parsed back. The default writes everything.
  std::int64_t max_elements = -1;
};

std::string to_text(const Graph& graph, const TextOptions& options = {});

/// Parses untrusted text. to_text(parse_text(t)) == t for a t that to_text wrote. Errors name line and column.
Result<Graph> parse_text(std::string_view text);

}  // namespace moru::model
