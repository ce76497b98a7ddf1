// SPDX-License-Identifier: Apache-2.0
// Graph passes: one file a pass, a table made from the file names, one runner that does for each what all need
// (timing, verification, report). Passes never call each other.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model {

struct PassSpec {
  std::string_view name;  ///< "fold_batch_norm"
  std::string_view doc;
  /// Changes the graph; returns how many places it changed. Types are inferred before it is called and after it.
  Result<std::int64_t> (*run)(Graph& graph);
};

std::span<const PassSpec* const> all_passes();
const PassSpec* find_pass(std::string_view name);

struct PassReport {
  std::string name;
  std::int64_t changes = 0;
  std::size_t nodes_before = 0;
  std::size_t nodes_after = 0;
  TimeNs duration = 0;
};

/// Runs the named passes in order; verifies the graph and infers shapes after each. Errors name the pass.
Result<std::vector<PassReport>> run_passes(Graph& graph, std::span<const std::string> names);

}  // namespace moru::model
