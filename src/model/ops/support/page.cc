// SPDX-License-Identifier: Apache-2.0
#include "model/ops/page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "model/graph/text.h"
#include "model/ops/conformance.h"
#include "model/ops/op.h"
#include "model/ops/support/schema.h"
#include "model/ops/support/types.h"
#include "model/ops/versions.h"

namespace moru::model {
namespace {

const Node* first_use(const Graph& graph, const OpSpec& op) {
  const auto it = std::ranges::find_if(graph.nodes(), [&](const Node& node) { return node.op == op.name && node.domain == op.domain; });
  return it == graph.nodes().end() ? nullptr : &*it;
}

/// Whether infer() takes the node of an example when the inputs that have input 0's type have `dtype` instead.
bool accepts(const OpSpec& op, const Graph& graph, const Node& node, DType dtype) {
  const auto example = graph.value(node.inputs[0]).type.dtype;
  std::vector<ValueType> types(node.inputs.size());
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (node.inputs[i] != kNoValue && graph.value(node.inputs[i]).type.dtype == example) types[i].dtype = dtype;
  }
  const std::vector<const Tensor*> constants(types.size(), nullptr);
  const auto result = ops::infer_types(op, node, types, constants);
  return result || result.error().code != ErrorCode::kUnsupported;
}

/// Takes the types of a group out of `types` and gives the group's name, if all are there.
void group(std::vector<DType>& types, std::initializer_list<DType> members, std::string_view name, std::vector<std::string>& names) {
  const auto has = [&](DType dtype) { return std::ranges::find(types, dtype) != types.end(); };
  if (!std::ranges::all_of(members, has)) return;
  names.emplace_back(name);
  std::erase_if(types, [&](DType dtype) { return std::ranges::find(members, dtype) != members.end(); });
}

/// "floats, integers, bool": the types of input 0, found by asking infer().
std::string types_of(const OpSpec& op) {
  if (op.examples.empty()) return "";
  const auto graph = parse_text(op.examples[0].graph);
  const Node* node = graph ? first_use(*graph, op) : nullptr;
  if (node == nullptr || node->inputs.empty() || node->inputs[0] == kNoValue) return "";
  std::vector<DType> types;
  for (int i = 0; i <= static_cast<int>(kLastDType); ++i) {
    if (accepts(op, *graph, *node, static_cast<DType>(i))) types.push_back(static_cast<DType>(i));
  }
  if (types.size() == static_cast<std::size_t>(kLastDType) + 1) return "all";
  std::vector<std::string> names;
  group(types, ops::kFloats, "floats", names);
  group(types, ops::kIntegers, "integers", names);
  for (const DType dtype : types) names.emplace_back(to_string(dtype));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string full_name(std::string_view domain, std::string_view name) {
  return fmt::format("{}{}{}", domain, domain.empty() ? "" : "::", name);
}

/// The first sentence; a line of a table cannot hold a bar.
std::string summary(std::string_view doc) {
  std::string text;
  for (const char c : doc.substr(0, doc.find(". "))) text += c == '|' ? fmt::format("\\{}", c) : fmt::format("{}", c);
  return text.ends_with('.') ? text : fmt::format("{}.", text);
}

}  // namespace

std::string ops_page() {
  std::string ops;
  std::string gaps;
  for (const OpSpec* op : all_ops()) {
    const std::string name = full_name(op->domain, op->name);
    ops += fmt::format("| {} | {} | {} | {} |\n", name, op->since, types_of(*op), summary(op->doc));
    for (const OpGap& gap : op->gaps) gaps += fmt::format("| {} | `{}` | {} |\n", name, gap.cases, gap.reason);
  }
  std::string absent;
  for (const AbsentOp& op : absent_ops()) {
    const std::string cases = op.cases.empty() ? "none" : fmt::format("`{}`", fmt::join(op.cases, "`, `"));
    absent += fmt::format("| {} | {} | {} |\n", full_name(op.domain, op.name), cases, op.reason);
  }
  const auto absent_count = std::ranges::count_if(absent_ops(), [](const AbsentOp& op) { return op.name != "*"; });
  return fmt::format(
      "# Ops\n\nWritten by `moru ops --markdown`; `moru ops NAME` says all about one, with examples.\n\n"
      "{} ops, and {} of ONNX that are not here, nor those of its domain ai.onnx.ml. {} of ONNX's {} tests of single nodes (its\n"
      "release 1.12) are right; below stands why each other is not, and so for those of its newest release up to opset {} (how many:\n"
      "docs/measurements.md). Floats are float32, float64, float16 and bfloat16; integers have 8 to 64 bits, with or without sign.\n\n"
      "| op | since opset | types of its first input | what it does |\n|---|---|---|---|\n{}\n"
      "## Gaps\n\nTests of ops that are here, which do not pass (a `*` stands for any rest).\n\n| op | tests | why |\n|---|---|---|\n{}\n"
      "## Not here\n\n| op | tests | why |\n|---|---|---|\n{}",
      all_ops().size(), absent_count, kNodeCasesRight, kNodeCases, kNewestOpset, ops, gaps, absent);
}

}  // namespace moru::model
