// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/graph/text.h"
#include "model/graph/token_stream.h"

namespace moru::model {
namespace {

using text::error_at;
using text::Token;
using text::TokenKind;
using text::TokenStream;

/// Recursive descent. Only graphs nest, and no deeper than kMaxGraphDepth, so the stack has an end.
class GraphParser {
 public:
  /// `outer` is the graph whose values the graph may capture; null for the outermost.
  GraphParser(TokenStream& in, const Graph* outer, int depth) : in_(in), outer_(outer), depth_(depth) {}
  /// The graph, and the captured values of the outer one.
  Result<Graph> parse(std::vector<ValueId>* captures);

 private:
  Status parse_item();
  Status parse_opset();
  Status parse_meta();
  Status parse_init();
  Status parse_node();
  Status parse_results(Node& node);
  Status parse_op(Node& node);
  Status parse_uses(Node& node);
  Status parse_attributes(Node& node);
  Result<ValueId> parse_new_value();
  Result<ValueId> parse_use(const Graph& graph);
  Status parse_captures(std::vector<ValueId>* captures);
  Result<Attribute> parse_attribute_value();
  Result<Attribute> parse_subgraph();

  TokenStream& in_;
  const Graph* outer_;
  int depth_;
  Graph graph_;
};

Result<Dim> parse_dim(TokenStream& in) {
  MORU_ASSIGN_OR_RETURN(const bool unknown, in.accept("?"));
  if (unknown) return Dim{};
  if (in.token().kind == TokenKind::kNumber) {
    MORU_ASSIGN_OR_RETURN(const std::int64_t value, in.take_size("an extent of 0 or more"));
    return Dim{value, {}};
  }
  MORU_ASSIGN_OR_RETURN(std::string symbol, in.take_name("an extent: a number, a name or ?"));
  return Dim{-1, std::move(symbol)};
}

template <class T>
Result<std::vector<T>> parse_numbers(TokenStream& in, std::string_view name) {
  MORU_RETURN_IF_ERROR(in.take_word(name));
  MORU_RETURN_IF_ERROR(in.take("="));
  MORU_RETURN_IF_ERROR(in.take("["));
  std::vector<T> values;
  while (!in.at("]")) {
    if (!values.empty()) MORU_RETURN_IF_ERROR(in.take(","));
    MORU_ASSIGN_OR_RETURN(const T value, in.take_element<T>());
    values.push_back(value);
  }
  MORU_RETURN_IF_ERROR(in.advance());
  return values;
}

/// quant {scales = [0.5], zero_points = [3], axis = 0}
Result<Quantization> parse_quantization(TokenStream& in) {
  const Token start = in.token();
  MORU_RETURN_IF_ERROR(in.advance());
  Quantization result;
  MORU_RETURN_IF_ERROR(in.take("{"));
  MORU_ASSIGN_OR_RETURN(result.scales, parse_numbers<float>(in, "scales"));
  MORU_RETURN_IF_ERROR(in.take(","));
  MORU_ASSIGN_OR_RETURN(result.zero_points, parse_numbers<std::int64_t>(in, "zero_points"));
  MORU_RETURN_IF_ERROR(in.take(","));
  MORU_RETURN_IF_ERROR(in.take_word("axis"));
  MORU_RETURN_IF_ERROR(in.take("="));
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, in.take_size("an axis of 0 or more"));
  MORU_RETURN_IF_ERROR(in.take("}"));
  if (!std::in_range<std::int32_t>(axis)) return fail(error_at(start, fmt::format("found axis {}, expected one of the tensor", axis)));
  if (result.scales.size() != result.zero_points.size()) {
    return fail(error_at(start, fmt::format("found {} scales and {} zero points, expected as many of both", result.scales.size(),
                                            result.zero_points.size())));
  }
  result.axis = static_cast<std::int32_t>(axis);
  return result;
}

Result<ValueType> parse_type(TokenStream& in) {
  ValueType type;
  MORU_ASSIGN_OR_RETURN(const bool untyped, in.accept("?"));
  if (!untyped) {
    MORU_ASSIGN_OR_RETURN(type.dtype, in.take_dtype());
  }
  MORU_RETURN_IF_ERROR(in.take("["));
  MORU_ASSIGN_OR_RETURN(const bool no_rank, in.accept("*"));
  if (!no_rank) {
    type.shape.emplace();
    while (!in.at("]")) {
      if (!type.shape->empty()) MORU_RETURN_IF_ERROR(in.take(","));
      MORU_ASSIGN_OR_RETURN(Dim dim, parse_dim(in));
      type.shape->push_back(std::move(dim));
    }
  }
  MORU_RETURN_IF_ERROR(in.take("]"));
  if (in.at_word("quant")) {
    MORU_ASSIGN_OR_RETURN(type.quantization, parse_quantization(in));
  }
  return type;
}

/// An int, a float or a string. A float has a point, an exponent, or is inf or nan.
Result<Attribute> parse_scalar(TokenStream& in) {
  if (in.token().kind == TokenKind::kString) {
    MORU_ASSIGN_OR_RETURN(std::string value, in.take_string());
    return Attribute(std::move(value));
  }
  const bool number = in.token().kind == TokenKind::kNumber;
  if (in.at_word("nan") || in.at_word("inf") || (number && in.token().spelling.find_first_of(".ein") != std::string_view::npos)) {
    MORU_ASSIGN_OR_RETURN(const float value, in.take_element<float>());
    return Attribute(value);
  }
  if (!number) return in.expected("an int, a float or a string");
  MORU_ASSIGN_OR_RETURN(const std::int64_t value, in.take_element<std::int64_t>());
  return Attribute(value);
}

template <class T>
Attribute collect(std::vector<Attribute>& items) {
  std::vector<T> values;
  for (Attribute& item : items) values.push_back(std::move(std::get<T>(item)));
  return values;
}

Result<Attribute> parse_list(TokenStream& in) {
  MORU_RETURN_IF_ERROR(in.take("["));
  if (in.at("]")) return in.expected("an element; an empty list has its kind in front: ints[], floats[] or strings[]");
  std::vector<Attribute> items;
  while (!in.at("]")) {
    if (!items.empty()) MORU_RETURN_IF_ERROR(in.take(","));
    const Token start = in.token();
    MORU_ASSIGN_OR_RETURN(Attribute item, parse_scalar(in));
    if (!items.empty() && item.index() != items[0].index()) {
      return fail(error_at(start, "found an element of another kind, expected only ints, only floats or only strings"));
    }
    items.push_back(std::move(item));
  }
  MORU_RETURN_IF_ERROR(in.advance());
  if (std::holds_alternative<std::int64_t>(items[0])) return collect<std::int64_t>(items);
  if (std::holds_alternative<float>(items[0])) return collect<float>(items);
  return collect<std::string>(items);
}

Result<Attribute> parse_empty_list(TokenStream& in) {
  Attribute empty;
  if (in.at_word("ints")) empty = std::vector<std::int64_t>();
  if (in.at_word("floats")) empty = std::vector<float>();
  if (in.at_word("strings")) empty = std::vector<std::string>();
  MORU_RETURN_IF_ERROR(in.advance());
  MORU_RETURN_IF_ERROR(in.take("["));
  MORU_RETURN_IF_ERROR(in.take("]"));
  return empty;
}

Result<Attribute> parse_attribute(TokenStream& in) {
  if (in.at("[")) return parse_list(in);
  if (in.at_word("ints") || in.at_word("floats") || in.at_word("strings")) return parse_empty_list(in);
  if (in.token().kind == TokenKind::kWord && dtype_from_string(in.token().spelling)) {
    MORU_ASSIGN_OR_RETURN(Tensor tensor, in.take_tensor());
    return Attribute(std::move(tensor));
  }
  return parse_scalar(in);
}

Result<ValueId> GraphParser::parse_new_value() {
  const Token start = in_.token();
  MORU_ASSIGN_OR_RETURN(std::string name, in_.take_name("the name of a new value"));
  if (name.empty()) return fail(error_at(start, "found an empty name, expected the name of a new value"));
  if (graph_.find_value(name)) return fail(error_at(start, fmt::format("found a second value '{:.60}', expected a new name", name)));
  ValueType type;
  MORU_ASSIGN_OR_RETURN(const bool typed, in_.accept(":"));
  if (typed) {
    MORU_ASSIGN_OR_RETURN(type, parse_type(in_));
  }
  return graph_.add_value(std::move(name), std::move(type));
}

Result<ValueId> GraphParser::parse_use(const Graph& graph) {
  const Token start = in_.token();
  MORU_ASSIGN_OR_RETURN(const std::string name, in_.take_name("the name of a value"));
  const auto id = graph.find_value(name);
  if (!id) return fail(error_at(start, fmt::format("found '{:.60}', expected a value that is made above", name)));
  return *id;
}

Status GraphParser::parse_results(Node& node) {
  bool more = !in_.at("=");  // a node may be there for what it does alone, as TFLite's ASSIGN_VARIABLE
  while (more) {
    ValueId id = kNoValue;
    if (in_.at_word("_")) {
      MORU_RETURN_IF_ERROR(in_.advance());
    } else {
      MORU_ASSIGN_OR_RETURN(id, parse_new_value());
    }
    node.outputs.push_back(id);
    MORU_ASSIGN_OR_RETURN(more, in_.accept(","));
  }
  return in_.take("=");
}

Status GraphParser::parse_op(Node& node) {
  MORU_ASSIGN_OR_RETURN(node.op, in_.take_name("the name of an op"));
  MORU_ASSIGN_OR_RETURN(const bool has_domain, in_.accept("::"));
  if (has_domain) {
    node.domain = std::move(node.op);
    MORU_ASSIGN_OR_RETURN(node.op, in_.take_name("the name of an op"));
  }
  return {};
}

Status GraphParser::parse_uses(Node& node) {
  MORU_RETURN_IF_ERROR(in_.take("("));
  while (!in_.at(")")) {
    if (!node.inputs.empty()) MORU_RETURN_IF_ERROR(in_.take(","));
    ValueId id = kNoValue;
    const Token use = in_.token();
    if (in_.at_word("_")) {
      MORU_RETURN_IF_ERROR(in_.advance());
    } else {
      MORU_ASSIGN_OR_RETURN(id, parse_use(graph_));
    }
    // The node's own results have names by now, but are made only when it has run.
    if (id != kNoValue && std::ranges::find(node.outputs, id) != node.outputs.end()) {
      return fail(error_at(use, fmt::format("found '{:.60}', expected a value that is made above", graph_.value(id).name)));
    }
    node.inputs.push_back(id);
  }
  return in_.advance();
}

Result<Attribute> GraphParser::parse_attribute_value() { return in_.at_word("graph") ? parse_subgraph() : parse_attribute(in_); }

Result<Attribute> GraphParser::parse_subgraph() {
  if (depth_ >= kMaxGraphDepth) return in_.expected(fmt::format("graphs no deeper than {} in one another", kMaxGraphDepth));
  Subgraph subgraph;
  const Token start = in_.token();
  MORU_ASSIGN_OR_RETURN(Graph body, GraphParser(in_, &graph_, depth_ + 1).parse(&subgraph.captures));
  if (subgraph.captures.size() > body.inputs.size()) {
    return fail(error_at(start, fmt::format("found {} captured values and {} inputs, expected an input for each", subgraph.captures.size(),
                                            body.inputs.size())));
  }
  subgraph.graph = std::make_shared<const Graph>(std::move(body));
  return Attribute(std::move(subgraph));
}

Status GraphParser::parse_attributes(Node& node) {
  MORU_RETURN_IF_ERROR(in_.take("{"));
  while (!in_.at("}")) {
    if (!node.attributes.empty()) MORU_RETURN_IF_ERROR(in_.take(","));
    const Token start = in_.token();
    MORU_ASSIGN_OR_RETURN(std::string name, in_.take_name("the name of an attribute"));
    if (node.attributes.contains(name)) return fail(error_at(start, fmt::format("found a second attribute '{:.60}', expected one", name)));
    MORU_RETURN_IF_ERROR(in_.take("="));
    MORU_ASSIGN_OR_RETURN(Attribute value, parse_attribute_value());
    node.attributes.emplace(std::move(name), std::move(value));
  }
  return in_.advance();
}

Status GraphParser::parse_node() {
  Node node;
  MORU_RETURN_IF_ERROR(parse_results(node));
  MORU_RETURN_IF_ERROR(parse_op(node));
  MORU_RETURN_IF_ERROR(parse_uses(node));
  if (in_.at("{")) MORU_RETURN_IF_ERROR(parse_attributes(node));
  if (in_.at_word("as")) {
    MORU_RETURN_IF_ERROR(in_.advance());
    MORU_ASSIGN_OR_RETURN(node.name, in_.take_name("the name of the node"));
  }
  graph_.nodes().push_back(std::move(node));
  return {};
}

Status GraphParser::parse_opset() {
  const Token start = in_.token();
  if (start.kind != TokenKind::kString) {
    MORU_ASSIGN_OR_RETURN(graph_.opset, in_.take_size("an opset number"));
    return {};
  }
  MORU_ASSIGN_OR_RETURN(std::string domain, in_.take_string());
  MORU_ASSIGN_OR_RETURN(const std::int64_t opset, in_.take_size("an opset number"));
  if (!graph_.domains.emplace(std::move(domain), opset).second)
    return fail(error_at(start, "found a second opset of a domain, expected one"));
  return {};
}

Status GraphParser::parse_meta() {
  MORU_ASSIGN_OR_RETURN(std::string key, in_.take_string());
  MORU_RETURN_IF_ERROR(in_.take("="));
  MORU_ASSIGN_OR_RETURN(std::string value, in_.take_string());
  graph_.metadata.emplace_back(std::move(key), std::move(value));
  return {};
}

Status GraphParser::parse_init() {
  MORU_ASSIGN_OR_RETURN(const ValueId id, parse_new_value());
  MORU_RETURN_IF_ERROR(in_.take("="));
  MORU_ASSIGN_OR_RETURN(Tensor tensor, in_.take_tensor());
  graph_.set_initializer(id, std::move(tensor));
  return {};
}

Status GraphParser::parse_item() {
  if (in_.token().kind != TokenKind::kWord || !text::is_keyword(in_.token().spelling) || in_.at_word("_")) return parse_node();
  const std::string_view keyword = in_.token().spelling;
  if (keyword == "graph" || keyword == "as" || keyword == "quant") return in_.expected("opset, meta, input, init, output or a node");
  MORU_RETURN_IF_ERROR(in_.advance());
  if (keyword == "meta") return parse_meta();
  if (keyword == "init") return parse_init();
  if (keyword == "opset") {
    return parse_opset();
  } else if (keyword == "input") {
    MORU_ASSIGN_OR_RETURN(const ValueId id, parse_new_value());
    graph_.inputs.push_back(id);
  } else {
    MORU_ASSIGN_OR_RETURN(const ValueId id, parse_use(graph_));
    graph_.outputs.push_back(id);
  }
  return {};
}

/// (x, w): what a body takes from outside. Its last inputs stand for them, in this order.
Status GraphParser::parse_captures(std::vector<ValueId>* captures) {
  MORU_ASSIGN_OR_RETURN(const bool some, in_.accept("("));
  if (!some) return {};
  do {
    MORU_ASSIGN_OR_RETURN(const ValueId id, parse_use(*outer_));
    captures->push_back(id);
    if (in_.at(")")) return in_.advance();
    MORU_RETURN_IF_ERROR(in_.take(","));
  } while (true);
}

Result<Graph> GraphParser::parse(std::vector<ValueId>* captures) {
  MORU_RETURN_IF_ERROR(in_.take_word("graph"));
  MORU_ASSIGN_OR_RETURN(graph_.name, in_.take_string());
  if (outer_ != nullptr) MORU_RETURN_IF_ERROR(parse_captures(captures));
  MORU_RETURN_IF_ERROR(in_.take("{"));
  while (!in_.at("}")) {
    if (in_.at_end()) return in_.expected("'}' at the end of the graph");
    MORU_RETURN_IF_ERROR(parse_item());
  }
  MORU_RETURN_IF_ERROR(in_.advance());
  return std::move(graph_);
}

Status expect_end(const TokenStream& in) {
  if (!in.at_end()) return in.expected("the end of the text");
  return {};
}

}  // namespace

Result<Graph> parse_text(std::string_view text) {
  TokenStream in(text);
  MORU_RETURN_IF_ERROR(in.advance());
  MORU_ASSIGN_OR_RETURN(Graph graph, GraphParser(in, nullptr, 0).parse(nullptr));
  MORU_RETURN_IF_ERROR(expect_end(in));
  return graph;
}

Result<Tensor> parse_tensor_text(std::string_view text) {
  TokenStream in(text);
  MORU_RETURN_IF_ERROR(in.advance());
  MORU_ASSIGN_OR_RETURN(Tensor tensor, in.take_tensor());
  MORU_RETURN_IF_ERROR(expect_end(in));
  return tensor;
}

}  // namespace moru::model
