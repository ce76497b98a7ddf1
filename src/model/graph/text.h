// SPDX-License-Identifier: Apache-2.0
// The graph's text form: for golden tests, diffs and people. Grammar in model/graph/README.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model {

struct TextOptions {
  /// Initializers and tensor attributes with more elements than this are written as type, shape and digest only; such a
  /// text cannot be parsed back. The default writes everything.
  std::int64_t max_elements = -1;
};

std::string to_text(const Graph& graph, const TextOptions& options = {});

/// Parses untrusted text. to_text(parse_text(t)) == t for a t that to_text wrote. The names of values are checked (new
/// when made, there when used); whether the ops fit is for verify(). Errors: kInvalidArgument that begins with
/// "line:column: ". Cost: memory in proportion to the text.
Result<Graph> parse_text(std::string_view text);

/// One tensor: "float32[2, 2] {1, 2.5, -inf, nan}". Exact: parsed back it has the same bits.
std::string to_text(const Tensor& tensor, const TextOptions& options = {});
Result<Tensor> parse_tensor_text(std::string_view text);

}  // namespace moru::model
