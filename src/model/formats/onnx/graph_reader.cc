// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/graph_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "core/text.h"
#include "model/formats/onnx/constant.h"
#include "model/formats/onnx/declare.h"
#include "model/formats/onnx/node_order.h"
#include "model/formats/onnx/opsets.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"

namespace moru::model::onnx {
namespace {

/// Calls in one another; and what all calls of a model may grow to.
constexpr int kMaxCallDepth = 64;
constexpr std::int64_t kMaxFunctionNodes = 1'000'000;
constexpr std::int64_t kRanksMatterBefore = 13;
constexpr std::uint64_t kNodeCost = 1024;

std::unexpected<Error> corrupt(std::string message) { return fail(ErrorCode::kCorrupt, std::move(message)); }
/// A function's body, as it is put in place of a node.
struct Call {
  const pb::FunctionProto* function;
  const Call* outer;  ///< the call that the node stands in, or null
  int depth;
  Attributes attributes;  ///< what references to the function's attributes mean; one that is missing is left out
};

/// The names that a list of nodes sees, and how it is read.
struct Scope {
  std::map<std::string, ValueId, std::less<>> values;       ///< kNoValue: a function's input that the call leaves out
  std::string prefix;                                       ///< of names of values and nodes that come of a function
  std::map<std::string, std::string, std::less<>> results;  ///< a function's outputs, and the names that they get
  std::set<std::string, std::less<>> bound;                 ///< those that have gone to the caller
  std::int64_t opset = 0;
  const Call* call = nullptr;
};

/// The inputs, initializers, nodes and outputs of one graph. A body has a reader of its own, which asks that of the graph around it
/// for the values that it does not make.
class GraphReader {
 public:
  struct Outer {
    GraphReader* reader;
    Scope* scope;  ///< of the node whose body this is
    int depth;
  };

  GraphReader(const pb::GraphProto& proto, ModelSource& source, const Outer* outer) : proto_(proto), source_(source), outer_(outer) {
    graph_.opset = std::max(source.opset, kOldestWritten);
    graph_.name = proto.name().empty() ? "graph" : proto.name();  // the format wants one; the writer does the same
    root_.opset = outer == nullptr ? source.opset : outer->scope->opset;
    root_.call = outer == nullptr ? nullptr : outer->scope->call;
  }

  /// `captures`: values of the outer graph that the last inputs stand for.
  Result<Graph> read(std::vector<ValueId>* captures) {
    for (const auto& proto : proto_.initializer()) initializer_names_.insert(proto.name());
    for (const auto& proto : proto_.sparse_initializer()) initializer_names_.insert(proto.values().name());
    MORU_RETURN_IF_ERROR(read_inputs());
    MORU_RETURN_IF_ERROR(read_initializers());
    MORU_RETURN_IF_ERROR(read_nodes(proto_.node(), root_));
    MORU_RETURN_IF_ERROR(read_outputs());
    for (const auto& info : proto_.value_info()) {
      // Tools leave the types of values that they removed; they mean nothing.
      if (const auto it = root_.values.find(info.name()); it != root_.values.end())
        MORU_RETURN_IF_ERROR_IN("value " + in_quotes(info.name()), declare(graph_, it->second, info.type(), true));
    }
    for (const auto& [inner, outer] : captured_) {
      graph_.inputs.push_back(inner);
      captures->push_back(outer);
    }
    return std::move(graph_);
  }

 private:
  struct Capture {
    ValueId inner;  ///< the input that stands for it
    ValueId outer;  ///< of the graph around this one
  };

  bool is_body() const { return outer_ != nullptr; }

  Status check_new(const std::string& name) const {
    if (name.empty()) return corrupt("found an empty name, expected one");
    if (root_.values.contains(name)) return corrupt("found a name that another value has, expected a new one");
    return {};
  }

  /// Until IR version 4 every initializer is an input too. Later that makes it a default that a caller may replace; here it is
  /// a constant in both cases. The inputs of a body are counted by its op, so there none is left out.
  bool is_constant_input(const std::string& name) const { return !is_body() && initializer_names_.contains(name); }

  Status read_inputs() {
    for (const auto& input : proto_.input()) {
      if (is_constant_input(input.name())) continue;
      const auto where = "input " + in_quotes(input.name());
      MORU_RETURN_IF_ERROR_IN(where, check_new(input.name()));
      MORU_ASSIGN_OR_RETURN_IN(where, ValueType type, read_type(input.type(), is_body()));
      if (!type.dtype && !is_body()) return corrupt(where + ": found no element type, expected one");
      graph_.inputs.push_back(graph_.add_value(input.name(), std::move(type)));
      root_.values.emplace(input.name(), graph_.inputs.back());
    }
    return {};
  }

  template <class Proto>
  Status read_initializer(const std::string& name, const Proto& proto) {
    const auto where = "initializer " + in_quotes(name);
    MORU_RETURN_IF_ERROR_IN(where, check_new(name));
    MORU_ASSIGN_OR_RETURN_IN(where, Tensor tensor, tensor_from_proto(proto, source_.tensors));
    root_.values.emplace(name, graph_.add_initializer(name, std::move(tensor)));
    return {};
  }

  Status read_initializers() {
    for (const auto& proto : proto_.initializer()) MORU_RETURN_IF_ERROR(read_initializer(proto.name(), proto));
    for (const auto& proto : proto_.sparse_initializer()) MORU_RETURN_IF_ERROR(read_initializer(proto.values().name(), proto));
    for (const auto& input : proto_.input()) {
      if (is_constant_input(input.name()))
        MORU_RETURN_IF_ERROR_IN("input " + in_quotes(input.name()), declare(graph_, root_.values.at(input.name()), input.type(), false));
    }
    return {};
  }

  Status read_outputs() {
    std::set<ValueId> seen;
    for (const auto& output : proto_.output()) {
      const auto where = "output " + in_quotes(output.name());
      auto id = lookup(root_, output.name());
      if (!id || *id == kNoValue) return corrupt(where + ": found no value of that name, expected one that a node makes");
      if (std::ranges::find(captured_, *id, &Capture::inner) != captured_.end()) id = identity_of(*id, output.name());
      if (!seen.insert(*id).second) return corrupt(where + ": found twice, expected once");
      MORU_RETURN_IF_ERROR_IN(where, declare(graph_, *id, output.type(), is_body()));
      graph_.outputs.push_back(*id);
    }
    if (graph_.outputs.empty() && !is_body()) return corrupt("found no outputs, expected at least one");
    return {};
  }

  /// A body's output must be made in the body.
  ValueId identity_of(ValueId id, const std::string& name) {
    Node node;
    node.op = "Identity";
    node.inputs = {id};
    node.outputs = {graph_.add_value(graph_.unused_name(name), graph_.value(id).type)};
    graph_.nodes().push_back(node);
    return node.outputs[0];
  }

  // Names.

  /// Whether a name means something to nodes of a scope, also from outside a body.
  bool visible(const Scope& scope, std::string_view name) const {
    if (scope.values.contains(name)) return true;
    return &scope == &root_ && is_body() && outer_->reader->visible(*outer_->scope, name);
  }

  /// The value of a name; one from outside a body becomes an input of it.
  std::optional<ValueId> lookup(Scope& scope, std::string_view name) {
    if (const auto it = scope.values.find(name); it != scope.values.end()) return it->second;
    if (&scope != &root_ || !is_body()) return std::nullopt;
    const auto outer = outer_->reader->lookup(*outer_->scope, name);
    if (!outer || *outer == kNoValue) return outer;
    const ValueId id = graph_.add_value(graph_.unused_name(name), outer_->reader->graph_.value(*outer).type);
    captured_.push_back({id, *outer});
    root_.values.emplace(name, id);
    return id;
  }

  /// The name in the graph of what a node of `scope` makes as `name`. Where another value has it, the file's own names go first.
  std::string full_name(Scope& scope, const std::string& name) {
    const auto result = scope.results.find(name);
    const bool own = &scope == &root_ || result != scope.results.end();
    std::string full = result != scope.results.end() ? result->second : scope.prefix + name;
    if (!own) return graph_.unused_name(full);
    if (const auto taken = graph_.find_value(full)) graph_.rename(*taken, graph_.unused_name(full));
    return full;
  }

  ValueId add_output(Scope& scope, const std::string& name) {
    const ValueId id = graph_.add_value(full_name(scope, name));
    scope.values.emplace(name, id);
    return id;
  }

  // Nodes.

  Status read_nodes(const NodeList& nodes, Scope& scope) {
    MORU_ASSIGN_OR_RETURN(const std::vector<int> order, node_order(
                                                            nodes, [&](std::string_view name) { return scope.values.contains(name); },
                                                            [&](std::string_view name) { return visible(scope, name); }));
    for (const int index : order) MORU_RETURN_IF_ERROR_IN(describe(nodes.Get(index), index), read_node(nodes.Get(index), scope));
    return {};
  }

  Status read_node(const pb::NodeProto& proto, Scope& scope) {
    const std::string domain = domain_of(proto.domain());
    const auto function = source_.functions.find(function_key(domain, proto.op_type(), proto.overload()));
    if (function != source_.functions.end()) return read_call(proto, *function->second, scope);
    MORU_ASSIGN_OR_RETURN(Attributes attributes, read_attributes(proto, scope));
    if (proto.op_type() == "Constant" && domain.empty()) return read_constant(proto, attributes, scope);
    Node node;
    node.name = proto.name().empty() ? "" : scope.prefix + proto.name();
    node.op = proto.op_type();
    node.domain = domain;
    node.attributes = std::move(attributes);
    const OpSpec* op = find_op(node.op, node.domain);
    if (op != nullptr && node.domain.empty() && scope.opset < op->since) {
      return corrupt(fmt::format("found opset {}, expected at least {}, since which {} exists", scope.opset, op->since, node.op));
    }
    for (const std::string& input : proto.input())
      node.inputs.push_back(input.empty() ? kNoValue : lookup(scope, input).value_or(kNoValue));
    for (const std::string& output : proto.output()) node.outputs.push_back(output.empty() ? kNoValue : add_output(scope, output));
    return add_node(std::move(node), op, scope.opset);
  }

  /// Brings the node to the meaning that graphs have.
  Status add_node(Node node, const OpSpec* op, std::int64_t opset) {
    auto& nodes = graph_.nodes();
    const std::size_t first = nodes.size();
    NodeRewrite rewrite{graph_, opset, std::move(node), {}, {}};
    if (op != nullptr && op->upgrade != nullptr && opset < kNewestOpset) MORU_RETURN_IF_ERROR(op->upgrade(rewrite));
    std::ranges::move(rewrite.before, std::back_inserter(nodes));
    nodes.push_back(std::move(rewrite.node));
    std::ranges::move(rewrite.after, std::back_inserter(nodes));
    // Old opsets say things whose meaning depends on ranks and types (axes that B is aligned at, bounds of Clip). What is
    // wrong is said by infer_shapes(), once the graph is whole.
    for (std::size_t i = first; i < nodes.size() && opset < kRanksMatterBefore; ++i) {
      if (!infer_node(graph_, nodes[i])) break;
    }
    return {};
  }

  Result<Attributes> read_attributes(const pb::NodeProto& proto, Scope& scope) {
    Attributes attributes;
    for (const auto& attribute : proto.attribute()) {
      const auto where = "attribute " + in_quotes(attribute.name());
      MORU_ASSIGN_OR_RETURN_IN(where, auto read, read_attribute(attribute, scope));
      if (read && !attributes.emplace(attribute.name(), std::move(*read)).second) return corrupt(where + ": found twice, expected once");
    }
    return attributes;
  }

  /// Nothing for a reference to an attribute that the call leaves out.
  Result<std::optional<Attribute>> read_attribute(const pb::AttributeProto& proto, Scope& scope) {
    if (!proto.ref_attr_name().empty() && scope.call != nullptr) {
      const auto it = scope.call->attributes.find(proto.ref_attr_name());
      return it == scope.call->attributes.end() ? std::optional<Attribute>() : std::optional(it->second);
    }
    if (proto.type() != pb::AttributeProto::GRAPH || !proto.ref_attr_name().empty()) {
      MORU_ASSIGN_OR_RETURN(Attribute attribute, attribute_from_proto(proto, source_.tensors));
      return std::optional(std::move(attribute));
    }
    MORU_ASSIGN_OR_RETURN(Subgraph body, read_body(proto.g(), scope));
    return std::optional<Attribute>(std::move(body));
  }

  Result<Subgraph> read_body(const pb::GraphProto& proto, Scope& scope) {
    const Outer outer{this, &scope, is_body() ? outer_->depth + 1 : 1};
    if (outer.depth > kMaxGraphDepth) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("found graphs more than {} deep in one another, expected at most that", kMaxGraphDepth));
    }
    Subgraph body;
    MORU_ASSIGN_OR_RETURN(Graph graph, GraphReader(proto, source_, &outer).read(&body.captures));
    body.graph = std::make_shared<const Graph>(std::move(graph));
    return body;
  }

  /// A Constant is an initializer that stands among the nodes.
  Status read_constant(const pb::NodeProto& proto, const Attributes& attributes, Scope& scope) {
    if (proto.input_size() != 0 || proto.output_size() != 1 || proto.output(0).empty() || attributes.size() != 1) {
      return corrupt(fmt::format("found {} inputs, {} outputs and {} attributes, expected one output and one attribute", proto.input_size(),
                                 proto.output_size(), attributes.size()));
    }
    const auto& [name, attribute] = *attributes.begin();
    MORU_ASSIGN_OR_RETURN_IN("attribute " + in_quotes(name), Tensor tensor, constant_tensor(name, attribute));
    graph_.set_initializer(add_output(scope, proto.output(0)), std::move(tensor));
    return {};
  }

  // Functions.

  Result<Call> make_call(const pb::NodeProto& proto, const pb::FunctionProto& function, Scope& scope) {
    Call call{&function, scope.call, scope.call == nullptr ? 1 : scope.call->depth + 1, {}};
    for (const Call* outer = scope.call; outer != nullptr; outer = outer->outer) {
      if (outer->function == &function) return corrupt("found a function that calls itself, expected one that ends");
    }
    source_.nodes_of_functions += function.node_size();
    if (call.depth > kMaxCallDepth || source_.nodes_of_functions > kMaxFunctionNodes) {
      return fail(ErrorCode::kResourceExhausted, fmt::format("found functions that make more than {} nodes or are called more than {} deep",
                                                             kMaxFunctionNodes, kMaxCallDepth));
    }
    if (source_.tensors.budget != nullptr)
      MORU_RETURN_IF_ERROR(source_.tensors.budget->take(kNodeCost * (1 + static_cast<std::uint64_t>(function.node_size()))));
    MORU_ASSIGN_OR_RETURN(call.attributes, read_attributes(proto, scope));
    for (const auto& [name, attribute] : call.attributes) {
      if (std::holds_alternative<Subgraph>(attribute))
        return fail(ErrorCode::kUnsupported,
                    fmt::format("attribute {}: found a graph given to a function, expected a value", in_quotes(name)));
    }
    for (const auto& fallback : function.attribute_proto()) {
      if (call.attributes.contains(fallback.name())) continue;
      MORU_ASSIGN_OR_RETURN_IN("attribute " + in_quotes(fallback.name()), Attribute value, attribute_from_proto(fallback, source_.tensors));
      call.attributes.emplace(fallback.name(), std::move(value));
    }
    return call;
  }

  /// Puts a function's nodes in the place of the node that calls it.
  Status read_call(const pb::NodeProto& proto, const pb::FunctionProto& function, Scope& scope) {
    MORU_ASSIGN_OR_RETURN(const Call call, make_call(proto, function, scope));
    if (proto.input_size() > function.input_size() || proto.output_size() > function.output_size()) {
      return corrupt(fmt::format("found {} inputs and {} outputs, expected at most {} and {} as the function has", proto.input_size(),
                                 proto.output_size(), function.input_size(), function.output_size()));
    }
    Scope inner;
    inner.prefix = scope.prefix + (proto.name().empty() ? proto.op_type() : proto.name()) + "/";
    inner.call = &call;
    MORU_ASSIGN_OR_RETURN(inner.opset, own_opset(function.opset_import(), scope.opset));
    for (int i = 0; i < function.input_size(); ++i) {
      const bool given = i < proto.input_size() && !proto.input(i).empty();
      inner.values.emplace(function.input(i), given ? lookup(scope, proto.input(i)).value_or(kNoValue) : kNoValue);
    }
    for (int i = 0; i < proto.output_size(); ++i) {
      if (!proto.output(i).empty()) inner.results.emplace(function.output(i), full_name(scope, proto.output(i)));
    }
    MORU_RETURN_IF_ERROR_IN("function " + in_quotes(function.name()), read_nodes(function.node(), inner));
    for (int i = 0; i < proto.output_size(); ++i) {
      if (!proto.output(i).empty()) MORU_RETURN_IF_ERROR(bind_result(proto.output(i), function.output(i), scope, inner));
    }
    return {};
  }

  /// Gives a function's output the name that the caller has for it.
  Status bind_result(const std::string& name, const std::string& formal, Scope& scope, Scope& inner) {
    const auto it = inner.values.find(formal);
    if (it == inner.values.end() || it->second == kNoValue)
      return corrupt(fmt::format("function output {}: found no value of that name, expected one that a node makes", in_quotes(formal)));
    const auto result = inner.results.find(formal);
    if (result != inner.results.end() && graph_.value(it->second).name == result->second && !inner.bound.contains(formal)) {
      inner.bound.insert(formal);
      scope.values.emplace(name, it->second);
      return {};
    }
    // An input handed through, or one value under two names.
    Node node;
    node.op = "Identity";
    node.inputs = {it->second};
    node.outputs = {add_output(scope, name)};
    graph_.nodes().push_back(std::move(node));
    return {};
  }

  const pb::GraphProto& proto_;
  ModelSource& source_;
  const Outer* outer_;
  Scope root_;
  std::set<std::string, std::less<>> initializer_names_;
  std::vector<Capture> captured_;
  Graph graph_;
};

}  // namespace

std::string function_key(std::string_view domain, std::string_view name, std::string_view overload) {
  // No part may hold a zero byte that is not seen as one: lengths go in front.
  return fmt::format("{}:{}:{}{}{}", domain.size(), name.size(), domain, name, overload);
}

Result<Graph> read_graph(const pb::GraphProto& proto, ModelSource& source) {
  std::vector<ValueId> none;
  return GraphReader(proto, source, nullptr).read(&none);
}

}  // namespace moru::model::onnx
