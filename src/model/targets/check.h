// SPDX-License-Identifier: Apache-2.0
// What of a model runs where on a target, and what would have to change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"
#include "model/targets/partition.h"
#include "model/targets/target.h"

namespace moru::model::targets {

enum class Place : std::uint8_t {
  kAccelerator,  ///< where the target runs what it is made for; of a bare processor its fast kernels
  kFallback,     ///< the runtime runs it elsewhere
  kRefused,      ///< the device's compiler or runtime does not take the model with it
};
/// "accelerator", "fallback", "refused"
std::string_view to_string(Place place);

struct NodeReport {
  std::size_t index = 0;  ///< in the graph that was looked at
  std::string name;       ///< may be empty
  std::string op;
  Place place = Place::kAccelerator;
  std::vector<std::string> reasons;
  std::vector<std::string> changes;  ///< what would have to change; empty when nothing is known
  std::int64_t macs = 0;
};

struct MemoryReport {
  MemoryRule rule;
  std::int64_t needed = 0;  ///< at least
  bool fits() const { return needed <= rule.bytes; }
};

/// A change, and how many nodes ask for it.
struct Change {
  std::string text;
  std::size_t nodes = 0;
};

struct Report {
  std::string target;
  std::string format;              ///< whose words the nodes are in
  bool converted = false;          ///< from the model's own words
  std::vector<std::string> notes;  ///< what the conversion changed beside the words
  std::string refused;             ///< why the model is refused whole; empty when it is not
  std::vector<NodeReport> nodes;   ///< all, or those that could not be converted
  std::int64_t macs = 0;           ///< with 1 for extents that are open
  std::int64_t accelerator_macs = 0;
  std::size_t pieces = 0;  ///< of the accelerator
  std::vector<MemoryReport> memory;
  std::vector<Change> changes;  ///< the most frequent first

  std::size_t count(Place place) const;
  /// Everything runs on the accelerator, and fits.
  bool met() const;
  /// The device takes the model as it is: nothing is refused, and it fits.
  bool taken() const;
};

struct Checked {
  Graph graph;  ///< in words that the target's format has; as it was given when it could not be converted
  Report report;
  std::vector<Piece> pieces;  ///< none when it could not be converted
};

struct CheckOptions {
  std::string_view format = {};  ///< one of the target's; left out: the graph's own, or else the target's best
  bool exact = false;            ///< of the conversion: refuse what the other format cannot say
};

/// Looks at every node. A graph in other words than those of the format is converted first; what is in the way of that is in the report.
/// Errors: those of conversion but for nodes that have no counterpart; kInvalidArgument for a graph without nodes.
/// Cost: a few walks over the graph and partition().
Result<Checked> check(Graph graph, const Target& target, const CheckOptions& options = {});

}  // namespace moru::model::targets
