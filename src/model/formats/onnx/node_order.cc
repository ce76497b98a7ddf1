// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/node_order.h"

#include <fmt/format.h>

#include <map>
#include <queue>
#include <set>

#include "core/text.h"

namespace moru::model::onnx {
namespace {

using Names = std::set<std::string_view>;

void add_outer_uses(const pb::GraphProto& body, Names& uses);

/// What a node uses: its inputs, and what its bodies take from outside.
void add_uses(const pb::NodeProto& node, Names& uses) {
  for (const std::string& input : node.input()) {
    if (!input.empty()) uses.insert(input);
  }
  for (const auto& attribute : node.attribute()) {
    if (attribute.type() == pb::AttributeProto::GRAPH) add_outer_uses(attribute.g(), uses);
  }
}

void add_outer_uses(const pb::GraphProto& body, Names& uses) {
  Names own;
  for (const auto& input : body.input()) own.insert(input.name());
  for (const auto& initializer : body.initializer()) own.insert(initializer.name());
  for (const auto& sparse : body.sparse_initializer()) own.insert(sparse.values().name());
  Names inner;
  for (const auto& node : body.node()) {
    own.insert(node.output().begin(), node.output().end());
    add_uses(node, inner);
  }
  for (const auto& output : body.output()) inner.insert(output.name());
  for (const std::string_view name : inner) {
    if (!own.contains(name)) uses.insert(name);
  }
}

using Producers = std::map<std::string_view, int>;

Result<Producers> find_producers(const NodeList& nodes, const std::function<bool(std::string_view)>& made_before) {
  Producers producers;
  for (int i = 0; i < nodes.size(); ++i) {
    for (const std::string& output : nodes.Get(i).output()) {
      if (output.empty()) continue;
      if (made_before(output) || !producers.emplace(output, i).second) {
        return fail(ErrorCode::kCorrupt, fmt::format("{}: found output {}, which something else makes too, expected one producer",
                                                     describe(nodes.Get(i), i), in_quotes(output)));
      }
    }
  }
  return producers;
}

}  // namespace

std::string describe(const pb::NodeProto& node, int index) {
  return fmt::format("node {} ({} {})", index, node.op_type().empty() ? "without op" : in_quotes(node.op_type()), in_quotes(node.name()));
}

Result<std::vector<int>> node_order(const NodeList& nodes, const std::function<bool(std::string_view)>& made_before,
                                    const std::function<bool(std::string_view)>& known) {
  MORU_ASSIGN_OR_RETURN(const Producers producers, find_producers(nodes, made_before));
  const auto count = static_cast<std::size_t>(nodes.size());
  std::vector<std::vector<int>> users(count);
  std::vector<int> waiting(count, 0);
  for (int i = 0; i < nodes.size(); ++i) {
    Names uses;
    add_uses(nodes.Get(i), uses);
    for (const std::string_view use : uses) {
      if (made_before(use)) continue;
      const auto it = producers.find(use);
      if (it == producers.end()) {
        if (known(use)) continue;
        return fail(ErrorCode::kCorrupt,
                    fmt::format("{}: found input {}, which nothing makes, expected an input, an initializer or a node's output",
                                describe(nodes.Get(i), i), in_quotes(use)));
      }
      users[static_cast<std::size_t>(it->second)].push_back(i);
      ++waiting[static_cast<std::size_t>(i)];
    }
  }
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (int i = 0; i < nodes.size(); ++i) {
    if (waiting[static_cast<std::size_t>(i)] == 0) ready.push(i);
  }
  std::vector<int> order;
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (const int user : users[static_cast<std::size_t>(order.back())]) {
      if (--waiting[static_cast<std::size_t>(user)] == 0) ready.push(user);
    }
  }
  for (int i = 0; i < nodes.size() && order.size() < count; ++i) {
    if (waiting[static_cast<std::size_t>(i)] > 0) {
      return fail(ErrorCode::kCorrupt, describe(nodes.Get(i), i) + ": found a cycle through or before it, expected nodes without cycles");
    }
  }
  return order;
}

}  // namespace moru::model::onnx
