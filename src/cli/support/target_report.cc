// SPDX-License-Identifier: Apache-2.0
#include "cli/support/target_report.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <tuple>

#include "cli/model/verbs.h"
#include "core/json.h"
#include "core/text.h"
#include "model/ops/versions.h"

namespace moru::cli {
namespace {

using model::targets::NodeReport;
using model::targets::Place;
using model::targets::Report;

/// Nodes of a group that are named; the others are counted.
constexpr std::size_t kMostNamed = 6;

std::string big(std::int64_t number) {
  if (number >= 10'000'000'000) return fmt::format("{:.4g} G", static_cast<double>(number) / 1e9);
  if (number >= 10'000'000) return fmt::format("{:.4g} M", static_cast<double>(number) / 1e6);
  return fmt::format("{}", number);
}

struct Counts {
  std::size_t places[3] = {0, 0, 0};
  std::int64_t macs = 0;
};

std::string number_or_dash(std::size_t number) { return number == 0 ? "-" : fmt::format("{}", number); }

std::string table(const Report& report) {
  std::map<std::string, Counts> by_op;
  for (const NodeReport& node : report.nodes) {
    Counts& counts = by_op[node.op];
    ++counts.places[static_cast<std::size_t>(node.place)];
    counts.macs += node.macs;
  }
  std::string out = fmt::format("\n  {:<28} {:>11} {:>9} {:>8} {:>11}\n", "op", "accelerator", "fallback", "refused", "MACs");
  for (const auto& [op, counts] : by_op) {
    out += fmt::format("  {:<28} {:>11} {:>9} {:>8} {:>11}\n", clean_text(op), number_or_dash(counts.places[0]),
                       number_or_dash(counts.places[1]), number_or_dash(counts.places[2]), counts.macs == 0 ? "-" : big(counts.macs));
  }
  return out;
}

std::string node_text(const NodeReport& node) {
  return node.name.empty() ? fmt::format("{}", node.index) : fmt::format("{} {}", node.index, in_quotes(node.name));
}

/// Nodes of one op with the same reasons are one entry.
std::string problems(const Report& report) {
  std::map<std::tuple<Place, std::string, std::vector<std::string>>, std::vector<const NodeReport*>> groups;
  for (const NodeReport& node : report.nodes) {
    if (node.place != Place::kAccelerator) groups[{node.place, node.op, node.reasons}].push_back(&node);
  }
  std::string out;
  for (const auto& [key, nodes] : groups) {
    const auto& [place, op, reasons] = key;
    out += fmt::format("\n{:<13} {} {}: node {}", to_string(place), nodes.size(), clean_text(op), node_text(*nodes.front()));
    for (std::size_t i = 1; i < nodes.size() && i < kMostNamed; ++i) out += ", " + node_text(*nodes[i]);
    if (nodes.size() > kMostNamed) out += fmt::format(" and {} more", nodes.size() - kMostNamed);
    out += "\n";
    for (const std::string& reason : reasons) out += fmt::format("              {}\n", clean_text(reason));
  }
  return out;
}

std::string verdict(const Report& report) {
  if (!report.refused.empty()) return "refused: " + report.refused;
  if (report.met()) return "all of it runs there";
  std::string out;
  const std::size_t refused = report.count(Place::kRefused);
  const std::size_t fallback = report.count(Place::kFallback);
  if (refused > 0) out += refused == 1 ? "1 node is refused" : fmt::format("{} nodes are refused", refused);
  if (fallback > 0) out += (out.empty() ? "" : ", ") + (fallback == 1 ? "1 node falls back" : fmt::format("{} nodes fall back", fallback));
  return out.empty() ? "it does not fit into the memory" : out;
}

}  // namespace

void add_target_option(CLI::App& command, std::string* target, bool must) {
  command.add_option("--target", *target, "A device: one that `moru targets` lists, or a file of kind Target (.yaml)")->required(must);
}

Result<model::Graph> load_for_target(const Path& path, const model::LoadOptions& options, const DimFlags& dims, bool bind) {
  MORU_ASSIGN_OR_RETURN(model::Graph graph, model::load_model(path, options));
  graph.remove_unused();
  if (!bind) return graph;
  MORU_ASSIGN_OR_RETURN(const auto binding, dim_binding(dims));
  return model::bind_dims(std::move(graph), binding);
}

Result<std::optional<std::int64_t>> opset_for(const model::targets::Target& target, const model::targets::Checked& checked,
                                              const std::optional<std::int64_t>& asked) {
  if (checked.report.format != "onnx" || target.max_opset == 0) return asked;
  const std::int64_t least = std::max(target.min_opset, model::kOldestWritten);
  const std::int64_t most = std::min(target.max_opset, model::kNewestOpset);
  const std::int64_t opset = asked.value_or(std::clamp(checked.graph.opset, std::min(least, most), most));
  if (opset < least || opset > most) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("target {}: found opset {}, expected {} to {}", in_quotes(target.name), opset, least, most));
  }
  return opset;
}

std::string memory_text(const model::targets::MemoryReport& memory) {
  const auto human = [](std::int64_t bytes) { return human_bytes(static_cast<std::uint64_t>(bytes)); };
  return fmt::format("memory        {}: {} of {} at least, there are {}{}\n", clean_text(memory.rule.name),
                     memory.rule.holds == "all" ? "everything" : memory.rule.holds, human(memory.needed), human(memory.rule.bytes),
                     memory.fits()        ? ""
                     : memory.rule.spills ? "; the rest spills, and is slower"
                                          : "; too much");
}

Json memory_json(std::span<const model::targets::MemoryReport> memories) {
  Json memory = Json::array();
  for (const auto& one : memories) {
    memory.push_back({{"name", one.rule.name},
                      {"holds", one.rule.holds},
                      {"needed_bytes", one.needed},
                      {"bytes", one.rule.bytes},
                      {"fits", one.fits()},
                      {"spills", !one.fits() && one.rule.spills}});
  }
  return memory;
}

std::string to_text(const Report& report, const model::targets::Target& target) {
  std::string out = fmt::format("target        {}: {}\n", clean_text(target.name), clean_text(target.doc));
  out += fmt::format("eats          {}, by {}{}\n", report.format, clean_text(target.runtime),
                     report.converted ? "; the model was converted" : "");
  for (const std::string& note : report.notes) out += fmt::format("changed       {}\n", clean_text(note));
  out += fmt::format("result        {}\n", clean_text(verdict(report)));
  if (report.macs > 0 || report.pieces > 0) {
    const double share = report.macs == 0 ? 1.0 : static_cast<double>(report.accelerator_macs) / static_cast<double>(report.macs);
    out += fmt::format("accelerator   {} of {} nodes, {} of the MACs ({} of {}), {} piece{}\n", report.count(Place::kAccelerator),
                       report.nodes.size(), percent(share), big(report.accelerator_macs), big(report.macs), report.pieces,
                       report.pieces == 1 ? "" : "s");
  }
  for (const auto& memory : report.memory) out += memory_text(memory);
  out += table(report) + problems(report);
  if (!report.changes.empty()) out += "\n";
  for (const auto& change : report.changes)
    out += fmt::format("change        {} ({} node{})\n", clean_text(change.text), change.nodes, change.nodes == 1 ? "" : "s");
  return out;
}

Json to_json(const Report& report) {
  Json nodes = Json::array();
  for (const NodeReport& node : report.nodes) {
    nodes.push_back({{"index", node.index},
                     {"name", node.name},
                     {"op", node.op},
                     {"place", to_string(node.place)},
                     {"reasons", node.reasons},
                     {"changes", node.changes},
                     {"macs", node.macs}});
  }
  Json changes = Json::array();
  for (const auto& change : report.changes) changes.push_back({{"change", change.text}, {"nodes", change.nodes}});
  return {{"target", report.target},
          {"format", report.format},
          {"converted", report.converted},
          {"notes", report.notes},
          {"met", report.met()},
          {"taken", report.taken()},
          {"refused", report.refused.empty() ? Json() : Json(report.refused)},
          {"accelerator_nodes", report.count(Place::kAccelerator)},
          {"fallback_nodes", report.count(Place::kFallback)},
          {"refused_nodes", report.count(Place::kRefused)},
          {"macs", report.macs},
          {"accelerator_macs", report.accelerator_macs},
          {"pieces", report.pieces},
          {"memory", memory_json(report.memory)},
          {"changes", std::move(changes)},
          {"nodes", std::move(nodes)}};
}

}  // namespace moru::cli
