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
  std::string_view name;     ///< "fold_batch_norm"
  std::string_view doc;      ///< what it does, when it does not, and what it gains
  std::string_view example;  ///< a graph in text form that it changes; `moru passes NAME` and a test run it
  /// Changes the graph; returns how many places it changed. Types are inferred before it is called and after it. Names of
  /// graph inputs and outputs stay, and so do the values of the outputs but for rounding. A place that does not fit is left
  /// as it is: an error (kInternal) is a bug.
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

/// Runs the named passes in order; verifies the graph and infers shapes before the first and after each. After an error
/// the graph is of no use. Errors: kNotFound (no such pass), those of infer_shapes() for the graph given, and kInternal when a
/// pass made a graph that does not verify; they name the pass. Ids of values change.
Result<std::vector<PassReport>> run_passes(Graph& graph, std::span<const std::string> names);

}  // namespace moru::model
