// SPDX-License-Identifier: Apache-2.0
#include "model/targets/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "model/convert/convert.h"
#include "model/formats/formats.h"
#include "model/inspect/summary.h"
#include "model/ops/op.h"
#include "model/targets/rules.h"

namespace moru::model::targets {
namespace {

void add(std::int64_t* sum, std::int64_t more) {
  if (__builtin_add_overflow(*sum, more, sum)) *sum = std::numeric_limits<std::int64_t>::max();
}

void count_changes(Report* report) {
  for (const NodeReport& node : report->nodes) {
    for (const std::string& change : node.changes) {
      const auto it = std::ranges::find(report->changes, change, &Change::text);
      if (it != report->changes.end()) {
        ++it->nodes;
      } else {
        report->changes.push_back({change, 1});
      }
    }
  }
  std::ranges::sort(report->changes, {}, [](const Change& change) {
    return std::pair(-static_cast<std::int64_t>(change.nodes), std::string_view(change.text));
  });
}

/// What stands in the way of the target's words.
Checked not_converted(Graph graph, const std::vector<Obstacle>& obstacles, const Target& target, Report report) {
  report.refused = fmt::format("found {} nodes without counterpart in {}, expected none", obstacles.size(), report.format);
  const std::vector<Node>& nodes = graph.nodes();
  for (const Obstacle& obstacle : obstacles) {
    // Passes come before the conversion, so that the place in the graph as it was given is that of the name.
    const auto it = std::ranges::find_if(nodes, [&](const Node& node) { return !node.name.empty() && node.name == obstacle.node; });
    NodeReport node{.index = it == nodes.end() ? nodes.size() : static_cast<std::size_t>(it - nodes.begin()),
                    .name = obstacle.node,
                    .op = obstacle.op,
                    .place = Place::kRefused,
                    .reasons = {obstacle.reason},
                    .changes = {}};
    if (const auto change = target.instead.find(obstacle.op); change != target.instead.end()) node.changes.push_back(change->second);
    report.nodes.push_back(std::move(node));
  }
  count_changes(&report);
  return {std::move(graph), std::move(report), {}};
}

/// Where a node runs that the accelerator does not take.
Place place_elsewhere(const Facts& facts, const Target& target, const Node& node) {
  if (!target.falls_back(op_name(node))) return Place::kRefused;
  bool fits = true;
  const auto look = [&](ValueId id) {
    const auto dtype = facts.dtype(id);
    if (dtype && !target.fallback_types.empty())
      fits = fits && std::ranges::find(target.fallback_types, *dtype) != target.fallback_types.end();
  };
  for_each_use(node, look);
  for (const ValueId id : node.outputs) {
    if (id != kNoValue) look(id);
  }
  return fits ? Place::kFallback : Place::kRefused;
}

/// ONNX's borders of integers go with the op that they are for: a piece of floats between them would help nobody.
void move_borders(const Facts& facts, const Target& target, std::vector<NodeReport>* reports) {
  const std::vector<Node>& nodes = facts.graph().nodes();
  const auto away = [&](std::int32_t index) { return (*reports)[static_cast<std::size_t>(index)].place != Place::kAccelerator; };
  const auto move = [&](std::size_t i) {
    (*reports)[i].place = place_elsewhere(facts, target, nodes[i]);
    (*reports)[i].reasons.emplace_back("found its op elsewhere, expected both in one place");
  };
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!Facts::is_border(nodes[i]) || nodes[i].op != "QuantizeLinear" || away(static_cast<std::int32_t>(i))) continue;
    const std::int32_t from = facts.producers()[static_cast<std::size_t>(nodes[i].inputs[0])];
    if (from >= 0 && !Facts::is_border(nodes[static_cast<std::size_t>(from)]) && away(from)) move(i);
  }
  for (std::size_t i = nodes.size(); i-- > 0;) {
    if (!Facts::is_border(nodes[i]) || nodes[i].op != "DequantizeLinear" || away(static_cast<std::int32_t>(i))) continue;
    const auto& users = facts.consumers()[static_cast<std::size_t>(nodes[i].outputs[0])];
    if (!users.empty() && std::ranges::all_of(users, away)) move(i);
  }
}

void look_at_nodes(const Graph& graph, const Target& target, Report* report) {
  const Facts facts(graph);
  bool any_float = false;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    NodeReport one{.index = i, .name = node.name, .op = op_name(node), .reasons = {}, .changes = {}};
    for (const Fault& fault : find_faults(facts, target, node)) {
      any_float = any_float || fault.is_float;
      one.reasons.push_back(fault.reason);
      if (!fault.change.empty() && std::ranges::find(one.changes, fault.change) == one.changes.end()) one.changes.push_back(fault.change);
    }
    if (!one.reasons.empty()) one.place = place_elsewhere(facts, target, node);
    report->nodes.push_back(std::move(one));
  }
  move_borders(facts, target, &report->nodes);
  if (target.full_int8 && any_float && report->count(Place::kAccelerator) == 0) {
    report->refused = "found a float model, expected one that is quantised to 8 bits throughout";
    for (NodeReport& node : report->nodes) node.place = Place::kRefused;
  }
}

/// MACs and memory need numbers: 1 for what is open.
void count(const Graph& graph, const Target& target, Report* report) {
  const Result<Graph> bound = bind_dims(graph, {});
  const Graph& counted = bound && bound->nodes().size() == graph.nodes().size() ? *bound : graph;
  for (NodeReport& node : report->nodes) {
    node.macs = macs_of(counted, counted.nodes()[node.index]).value_or(0);
    add(&report->macs, node.macs);
  }
  if (target.memory.empty()) return;
  const Summary summary = summarise(counted);
  for (const MemoryRule& rule : target.memory) {
    MemoryReport memory{.rule = rule};
    if (rule.holds != "activations") add(&memory.needed, summary.all_parameters.bytes);
    if (rule.holds != "parameters") add(&memory.needed, summary.activations.bytes);
    report->memory.push_back(std::move(memory));
  }
}

/// What the compiler's one piece has no room for runs elsewhere, too.
void keep_to_pieces(const std::vector<Piece>& pieces, Report* report) {
  for (const Piece& piece : pieces) {
    report->pieces += piece.accelerator ? 1 : 0;
    for (const std::size_t i : piece.nodes) {
      NodeReport& node = report->nodes[i];
      if (piece.accelerator) add(&report->accelerator_macs, node.macs);
      if (piece.accelerator || node.place != Place::kAccelerator) continue;
      node.place = Place::kFallback;
      node.reasons.emplace_back("found outside of the one piece that the compiler maps, expected inside");
      node.changes.emplace_back("mend the nodes that fall back: they cut the graph");
    }
  }
}

}  // namespace

std::string_view to_string(Place place) {
  switch (place) {
    case Place::kAccelerator: return "accelerator";
    case Place::kFallback: return "fallback";
    case Place::kRefused: return "refused";
  }
  return "unknown";
}

std::size_t Report::count(Place place) const { return static_cast<std::size_t>(std::ranges::count(nodes, place, &NodeReport::place)); }

bool Report::taken() const {
  return refused.empty() && count(Place::kRefused) == 0 &&
         std::ranges::all_of(memory, [](const MemoryReport& one) { return one.fits() || one.rule.spills; });
}

bool Report::met() const { return taken() && count(Place::kFallback) == 0; }

Result<Checked> check(Graph graph, const Target& target, const CheckOptions& options) {
  if (graph.nodes().empty()) return fail(ErrorCode::kInvalidArgument, "check: found a graph without nodes, expected one with some");
  const std::string_view words = words_of(graph);
  Report report;
  report.target = target.name;
  report.format = !options.format.empty() ? options.format : target.takes_format(words) ? words : target.formats.front();
  report.converted = report.format != words;
  if (report.converted) {
    std::vector<Obstacle> obstacles;
    const ConvertOptions how{.exact = options.exact, .obstacles = &obstacles};
    Result<Converted> converted = words == "onnx" ? to_tflite(graph, how) : to_onnx(graph, how);
    if (!converted && obstacles.empty()) return fail(converted.error());
    if (!converted) return not_converted(std::move(graph), obstacles, target, std::move(report));
    graph = std::move(converted->graph);
    report.notes = std::move(converted->notes);
  }
  look_at_nodes(graph, target, &report);
  count(graph, target, &report);
  std::vector<bool> eligible;
  std::vector<std::int64_t> macs;
  for (const NodeReport& node : report.nodes) {
    eligible.push_back(node.place == Place::kAccelerator);
    macs.push_back(node.macs);
  }
  std::vector<Piece> pieces = partition(successors_of(graph), eligible, macs, target.one_piece);
  keep_to_pieces(pieces, &report);
  count_changes(&report);
  return Checked{std::move(graph), std::move(report), std::move(pieces)};
}

}  // namespace moru::model::targets
