// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <variant>

#include "model/graph/graph.h"

namespace moru::model {

/// Calls f(attribute name, body) for each graph inside a node.
template <class F>
void for_each_body(const Node& node, F&& f) {
  for (const auto& [name, attribute] : node.attributes) {
    if (const auto* body = std::get_if<Subgraph>(&attribute); body != nullptr && body->graph) f(std::string_view(name), *body->graph);
  }
}

}  // namespace moru::model
