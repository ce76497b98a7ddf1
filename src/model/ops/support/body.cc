// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/body.h"

#include <fmt/format.h>

namespace moru::model::ops {

const Subgraph& body_of(const Node& node, std::string_view name) { return std::get<Subgraph>(node.attributes.find(name)->second); }

Status expect_body(const Subgraph& body, std::string_view name, std::size_t inputs, std::size_t outputs) {
  const std::size_t own = body.graph->inputs.size() - body.captures.size();
  if (own == inputs && body.graph->outputs.size() >= outputs) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{}': found a graph with {} inputs and {} outputs, expected {} and {}",
                                                       name, own, body.graph->outputs.size(), inputs, outputs));
}

const ValueType& body_output(const Subgraph& body, std::size_t index) { return body.graph->value(body.graph->outputs[index]).type; }

Result<ValueType> common_type(const ValueType& a, const ValueType& b, std::string_view what) {
  if (a.dtype && b.dtype && *a.dtype != *b.dtype) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found {} and {}, expected one element type", what, to_string(*a.dtype), to_string(*b.dtype)));
  }
  ValueType type{a.dtype ? a.dtype : b.dtype, std::nullopt};
  if (!a.shape || !b.shape || a.shape->size() != b.shape->size()) return type;
  type.shape = a.shape;
  for (std::size_t i = 0; i < a.shape->size(); ++i) {
    if ((*a.shape)[i] != (*b.shape)[i]) (*type.shape)[i] = Dim{};
  }
  return type;
}

}  // namespace moru::model::ops
