// SPDX-License-Identifier: Apache-2.0
#include "cli/support/backend_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "cli/model/verbs.h"
#include "core/json.h"
#include "core/text.h"

namespace moru::cli {
namespace {

/// Nodes of a group that are named; the others are counted.
constexpr std::size_t kMostNamed = 6;

std::string op_of(const model::Node& node) { return node.domain.empty() ? node.op : fmt::format("{}::{}", node.domain, node.op); }

std::string number_or_dash(std::size_t number) { return number == 0 ? "-" : fmt::format("{}", number); }

/// A backend's words may have lines, and what steers a terminal.
std::string words(std::string_view text) {
  std::string out;
  for (const auto line : split(text, '\n')) {
    if (!trim(line).empty()) out += (out.empty() ? "" : " / ") + clean_text(trim(line));
  }
  return out;
}

std::string verdict(const runtime::Support& support) {
  const std::size_t refused = support.count_refused();
  if (refused > 0) return refused == 1 ? "1 node is refused" : fmt::format("{} nodes are refused", refused);
  return support.refused.empty() ? "all of it runs there" : "refused, though each of its nodes is taken";
}

std::string table(const runtime::Support& support, const model::Graph& graph) {
  std::map<std::string, std::pair<std::size_t, std::size_t>> by_op;  // runs, refused
  for (std::size_t i = 0; i < support.nodes.size(); ++i) {
    auto& [runs, refused] = by_op[op_of(graph.nodes()[i])];
    ++(support.nodes[i].runs ? runs : refused);
  }
  std::size_t width = 0;
  for (const auto& [op, counts] : by_op) width = std::max(width, op.size());
  std::string out = fmt::format("\n  {:<{}} {:>8} {:>8}\n", "op", width, "runs", "refused");
  for (const auto& [op, counts] : by_op) {
    out += fmt::format("  {:<{}} {:>8} {:>8}\n", clean_text(op), width, number_or_dash(counts.first), number_or_dash(counts.second));
  }
  return out;
}

std::string node_text(const model::Graph& graph, std::size_t index) {
  const std::string& name = graph.nodes()[index].name;
  return name.empty() ? fmt::format("{}", index) : fmt::format("{} {}", index, in_quotes(name));
}

std::string problems(const runtime::Support& support, const model::Graph& graph) {
  std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> groups;  // of one op, refused in the same words
  for (std::size_t i = 0; i < support.nodes.size(); ++i) {
    if (!support.nodes[i].runs) groups[{op_of(graph.nodes()[i]), support.nodes[i].reason}].push_back(i);
  }
  std::string out;
  for (const auto& [key, nodes] : groups) {
    out += fmt::format("\nrefused       {} {}: node {}", nodes.size(), clean_text(key.first), node_text(graph, nodes.front()));
    for (std::size_t i = 1; i < nodes.size() && i < kMostNamed; ++i) out += ", " + node_text(graph, nodes[i]);
    if (nodes.size() > kMostNamed) out += fmt::format(" and {} more", nodes.size() - kMostNamed);
    out += fmt::format("\n              {}\n", words(key.second));
  }
  return out;
}

}  // namespace

std::string to_text(const runtime::Support& support, const model::Graph& graph, std::string_view backend) {
  std::string out =
      fmt::format("backend       {} {}\nresult        {}\n", clean_text(backend), clean_text(support.version), verdict(support));
  if (!support.refused.empty()) out += fmt::format("the whole     {}\n", words(support.refused));
  return out + table(support, graph) + problems(support, graph);
}

Json to_json(const runtime::Support& support, const model::Graph& graph, std::string_view backend) {
  Json nodes = Json::array();
  for (std::size_t i = 0; i < support.nodes.size(); ++i) {
    const runtime::NodeSupport& node = support.nodes[i];
    nodes.push_back({{"index", i},
                     {"name", graph.nodes()[i].name},
                     {"op", op_of(graph.nodes()[i])},
                     {"runs", node.runs},
                     {"reason", node.runs ? Json() : Json(node.reason)}});
  }
  return {{"backend", backend},
          {"version", support.version},
          {"met", support.all()},
          {"refused", support.refused.empty() ? Json() : Json(support.refused)},
          {"refused_nodes", support.count_refused()},
          {"nodes", std::move(nodes)}};
}

}  // namespace moru::cli
