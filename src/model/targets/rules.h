// SPDX-License-Identifier: Apache-2.0
// One node against what a target takes of its op.
#pragma once

#include <string>
#include <vector>

#include "model/targets/facts.h"
#include "model/targets/target.h"

namespace moru::model::targets {

/// Why a node cannot run where it should, and what would have to change; that may be unknown (empty). Neither names a value or a
/// node, so that the same fault reads the same wherever it is.
struct Fault {
  std::string reason;
  std::string change;
  bool is_float = false;  ///< a float where integers were expected
};

/// The rule for an op, or null.
const OpRule* find_rule(const Target& target, const Node& node);

/// Empty when the accelerator takes the node.
std::vector<Fault> find_faults(const Facts& facts, const Target& target, const Node& node);

/// What makes the graph's open extents known: "fix N to 1: --dim N=1"; empty when its inputs have none.
std::string how_to_fix_extents(const Graph& graph);

}  // namespace moru::model::targets
