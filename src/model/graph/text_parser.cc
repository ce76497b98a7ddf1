// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <limits>
#include <type_traits>

#include "model/graph/lexer.h"
#include "model/graph/text.h"

namespace moru::model {
namespace {

using text::error_at;
using text::Lexer;
using text::Token;
using text::TokenKind;

/// Recursive descent with one token of look-ahead; no construct nests without end, so neither does the stack.
class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  Status start() { return advance(); }
  Result<Graph> parse_graph();
  Result<Tensor> parse_tensor();
  Status expect_end();

 private:
  Status advance() {
    MORU_ASSIGN_OR_RETURN(token_, lexer_.next());
    return {};
  }
  bool at(std::string_view punctuation) const { return token_.kind == TokenKind::kPunctuation && token_.spelling == punctuation; }
  bool at_word(std::string_view word) const { return token_.kind == TokenKind::kWord && token_.spelling == word; }
  std::unexpected<Error> expected(std::string_view what) const;
  Status take(std::string_view punctuation);
  /// Takes `punctuation` if it stands here.
  Result<bool> accept(std::string_view punctuation);
  Status take_word(std::string_view word);
  Result<std::string> take_string();
  /// A name: a word that is no keyword, or a string. Its token is left in name_token_ for messages.
  Result<std::string> take_name(std::string_view what);
  Result<std::int64_t> take_int(std::string_view what);

  Result<DType> parse_dtype();
  Result<ValueType> parse_type();
  Result<Dim> parse_dim();
  Result<ValueId> parse_new_value();
  Result<ValueId> parse_use();
  template <class T>
  Result<T> parse_element();
  template <class T>
  Result<Tensor> parse_elements(Dims dims);
  Result<Attribute> parse_attribute();
  Result<Attribute> parse_list();
  Status parse_item();
  Status parse_node();

  Lexer lexer_;
  Token token_;
  Token name_token_;
  Graph graph_;
};

std::unexpected<Error> Parser::expected(std::string_view what) const {
  const std::string found = token_.kind == TokenKind::kEnd ? "the end of the text" : fmt::format("{:.60}", token_.spelling);
  return fail(
      error_at(token_, fmt::format("found {}, expected {}", token_.kind == TokenKind::kPunctuation ? "'" + found + "'" : found, what)));
}

Status Parser::take(std::string_view punctuation) {
  if (!at(punctuation)) return expected(fmt::format("'{}'", punctuation));
  return advance();
}

Result<bool> Parser::accept(std::string_view punctuation) {
  if (!at(punctuation)) return false;
  MORU_RETURN_IF_ERROR(advance());
  return true;
}

Status Parser::take_word(std::string_view word) {
  if (!at_word(word)) return expected(fmt::format("'{}'", word));
  return advance();
}

Result<std::string> Parser::take_string() {
  if (token_.kind != TokenKind::kString) return expected("a string in quotes");
  std::string value = std::move(token_.value);
  MORU_RETURN_IF_ERROR(advance());
  return value;
}

Result<std::string> Parser::take_name(std::string_view what) {
  name_token_ = token_;
  if (token_.kind == TokenKind::kString) return take_string();
  if (token_.kind != TokenKind::kWord || text::is_keyword(token_.spelling)) return expected(what);
  std::string name(token_.spelling);
  MORU_RETURN_IF_ERROR(advance());
  return name;
}

Result<std::int64_t> Parser::take_int(std::string_view what) {
  MORU_ASSIGN_OR_RETURN(const auto value, parse_element<std::int64_t>());
  if (value < 0) return fail(error_at(name_token_, fmt::format("found {}, expected {}", value, what)));
  return value;
}

template <class T>
Result<T> Parser::parse_element() {
  name_token_ = token_;
  if constexpr (std::is_same_v<T, bool>) {
    if (!at_word("true") && !at_word("false")) return expected("true or false");
    const bool value = at_word("true");
    MORU_RETURN_IF_ERROR(advance());
    return value;
  } else {
    if (std::is_floating_point_v<T> && at_word("nan")) {
      MORU_RETURN_IF_ERROR(advance());
      MORU_ASSIGN_OR_RETURN(const bool has_bits, accept("("));
      if (!has_bits) return std::numeric_limits<T>::quiet_NaN();
      using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
      Bits bits{};
      const std::string_view digits = token_.spelling.starts_with("0x") ? token_.spelling.substr(2) : std::string_view();
      const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), bits, 16);
      if constexpr (std::is_floating_point_v<T>) {
        const T value = std::bit_cast<T>(bits);
        if (failure != std::errc{} || end != digits.data() + digits.size() || value == value) return expected("the bits of a NaN as 0x...");
        MORU_RETURN_IF_ERROR(advance());
        MORU_RETURN_IF_ERROR(take(")"));
        return value;
      }
    }
    const bool infinite = std::is_floating_point_v<T> && at_word("inf");
    T value{};
    const std::string_view spelling = token_.kind == TokenKind::kNumber || infinite ? token_.spelling : std::string_view();
    const auto [end, failure] = std::from_chars(spelling.data(), spelling.data() + spelling.size(), value);
    if (failure != std::errc{} || end != spelling.data() + spelling.size()) {
      return expected(std::is_floating_point_v<T> ? "a number that fits the type" : "a whole number that fits the type");
    }
    MORU_RETURN_IF_ERROR(advance());
    return value;
  }
}

template <class T>
Result<Tensor> Parser::parse_elements(Dims dims) {
  const Token start = token_;
  MORU_RETURN_IF_ERROR(take("{"));
  std::string bytes;
  while (!at("}")) {
    if (!bytes.empty()) MORU_RETURN_IF_ERROR(take(","));
    MORU_ASSIGN_OR_RETURN(const T value, parse_element<T>());
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  MORU_RETURN_IF_ERROR(advance());
  const auto count = element_count(dims, DTypeOf<T>::value);
  if (!count) return fail(error_at(start, count.error().message));
  if (static_cast<std::size_t>(*count) != bytes.size() / sizeof(T)) {
    return fail(
        error_at(start, fmt::format("found {} elements, expected {} for shape {}", bytes.size() / sizeof(T), *count, to_string(dims))));
  }
  auto tensor = Tensor::from_bytes(DTypeOf<T>::value, std::move(dims), std::as_bytes(std::span(bytes)));
  if (!tensor) return fail(error_at(start, tensor.error().message));
  return tensor;
}

Result<DType> Parser::parse_dtype() {
  const auto dtype = token_.kind == TokenKind::kWord ? dtype_from_string(token_.spelling) : std::nullopt;
  if (!dtype) return expected("an element type such as float32");
  MORU_RETURN_IF_ERROR(advance());
  return *dtype;
}

Result<Dim> Parser::parse_dim() {
  MORU_ASSIGN_OR_RETURN(const bool unknown, accept("?"));
  if (unknown) return Dim{};
  if (token_.kind == TokenKind::kNumber) {
    MORU_ASSIGN_OR_RETURN(const std::int64_t value, take_int("an extent of 0 or more"));
    return Dim{value, {}};
  }
  MORU_ASSIGN_OR_RETURN(std::string symbol, take_name("an extent: a number, a name or ?"));
  return Dim{-1, std::move(symbol)};
}

Result<ValueType> Parser::parse_type() {
  ValueType type;
  MORU_ASSIGN_OR_RETURN(const bool untyped, accept("?"));
  if (!untyped) {
    MORU_ASSIGN_OR_RETURN(type.dtype, parse_dtype());
  }
  MORU_RETURN_IF_ERROR(take("["));
  MORU_ASSIGN_OR_RETURN(const bool no_rank, accept("*"));
  if (!no_rank) {
    type.shape.emplace();
    while (!at("]")) {
      if (!type.shape->empty()) MORU_RETURN_IF_ERROR(take(","));
      MORU_ASSIGN_OR_RETURN(Dim dim, parse_dim());
      type.shape->push_back(std::move(dim));
    }
  }
  MORU_RETURN_IF_ERROR(take("]"));
  return type;
}

Result<Tensor> Parser::parse_tensor() {
  MORU_ASSIGN_OR_RETURN(const DType dtype, parse_dtype());
  MORU_RETURN_IF_ERROR(take("["));
  Dims dims;
  while (!at("]")) {
    if (!dims.empty()) MORU_RETURN_IF_ERROR(take(","));
    MORU_ASSIGN_OR_RETURN(const std::int64_t dim, take_int("an extent of 0 or more"));
    dims.push_back(dim);
  }
  MORU_RETURN_IF_ERROR(advance());
  switch (dtype) {
    case DType::kFloat32: return parse_elements<float>(std::move(dims));
    case DType::kFloat64: return parse_elements<double>(std::move(dims));
    case DType::kInt8: return parse_elements<std::int8_t>(std::move(dims));
    case DType::kUInt8: return parse_elements<std::uint8_t>(std::move(dims));
    case DType::kInt16: return parse_elements<std::int16_t>(std::move(dims));
    case DType::kUInt16: return parse_elements<std::uint16_t>(std::move(dims));
    case DType::kInt32: return parse_elements<std::int32_t>(std::move(dims));
    case DType::kUInt32: return parse_elements<std::uint32_t>(std::move(dims));
    case DType::kInt64: return parse_elements<std::int64_t>(std::move(dims));
    case DType::kUInt64: return parse_elements<std::uint64_t>(std::move(dims));
    case DType::kBool: return parse_elements<bool>(std::move(dims));
  }
  return fail(ErrorCode::kInternal, "text: found an element type without a parser, expected one for each");
}

Result<ValueId> Parser::parse_new_value() {
  MORU_ASSIGN_OR_RETURN(std::string name, take_name("the name of a new value"));
  if (name.empty()) return fail(error_at(name_token_, "found an empty name, expected the name of a new value"));
  if (graph_.find_value(name)) return fail(error_at(name_token_, fmt::format("found a second value '{}', expected a new name", name)));
  ValueType type;
  MORU_ASSIGN_OR_RETURN(const bool typed, accept(":"));
  if (typed) {
    MORU_ASSIGN_OR_RETURN(type, parse_type());
  }
  return graph_.add_value(std::move(name), std::move(type));
}

Result<ValueId> Parser::parse_use() {
  MORU_ASSIGN_OR_RETURN(const std::string name, take_name("the name of a value"));
  const auto id = graph_.find_value(name);
  if (!id) return fail(error_at(name_token_, fmt::format("found '{}', expected a value that is made above", name)));
  return *id;
}

Result<Attribute> Parser::parse_list() {
  MORU_RETURN_IF_ERROR(take("["));
  std::vector<Attribute> items;
  const Token start = token_;
  while (!at("]")) {
    if (!items.empty()) MORU_RETURN_IF_ERROR(take(","));
    const Token item_token = token_;
    if (token_.kind == TokenKind::kPunctuation) return expected("an int, a float or a string");
    MORU_ASSIGN_OR_RETURN(Attribute item, parse_attribute());
    if (item.index() > 2 || (!items.empty() && item.index() != items[0].index())) {
      return fail(error_at(item_token, "found an element of another kind, expected only ints, only floats or only strings"));
    }
    items.push_back(std::move(item));
  }
  if (items.empty()) return fail(error_at(start, "found an empty list, expected its kind in front: ints[], floats[] or strings[]"));
  MORU_RETURN_IF_ERROR(advance());
  const auto collect = [&]<class T>(std::vector<T> values) {
    for (Attribute& item : items) values.push_back(std::move(std::get<T>(item)));
    return Attribute(std::move(values));
  };
  if (items[0].index() == 0) return collect(std::vector<std::int64_t>());
  if (items[0].index() == 1) return collect(std::vector<float>());
  return collect(std::vector<std::string>());
}

Result<Attribute> Parser::parse_attribute() {
  if (at("[")) return parse_list();
  if (token_.kind == TokenKind::kString) {
    MORU_ASSIGN_OR_RETURN(std::string value, take_string());
    return Attribute(std::move(value));
  }
  if (at_word("ints") || at_word("floats") || at_word("strings")) {
    const std::string_view kind = token_.spelling;
    MORU_RETURN_IF_ERROR(advance());
    MORU_RETURN_IF_ERROR(take("["));
    MORU_RETURN_IF_ERROR(take("]"));
    if (kind == "ints") return Attribute(std::vector<std::int64_t>());
    if (kind == "floats") return Attribute(std::vector<float>());
    return Attribute(std::vector<std::string>());
  }
  if (at_word("nan") || at_word("inf") ||
      (token_.kind == TokenKind::kNumber && token_.spelling.find_first_of(".ein") != std::string_view::npos)) {
    MORU_ASSIGN_OR_RETURN(const float value, parse_element<float>());
    return Attribute(value);
  }
  if (token_.kind == TokenKind::kNumber) {
    MORU_ASSIGN_OR_RETURN(const std::int64_t value, parse_element<std::int64_t>());
    return Attribute(value);
  }
  if (token_.kind != TokenKind::kWord) return expected("the value of an attribute");
  MORU_ASSIGN_OR_RETURN(Tensor tensor, parse_tensor());
  return Attribute(std::move(tensor));
}

Status Parser::parse_node() {
  Node node;
  do {
    if (at_word("_")) {
      node.outputs.push_back(kNoValue);
      MORU_RETURN_IF_ERROR(advance());
    } else {
      MORU_ASSIGN_OR_RETURN(const ValueId id, parse_new_value());
      node.outputs.push_back(id);
    }
    MORU_ASSIGN_OR_RETURN(const bool more, accept(","));
    if (!more) break;
  } while (true);
  MORU_RETURN_IF_ERROR(take("="));
  MORU_ASSIGN_OR_RETURN(node.op, take_name("the name of an op"));
  MORU_ASSIGN_OR_RETURN(const bool has_domain, accept("::"));
  if (has_domain) {
    node.domain = std::move(node.op);
    MORU_ASSIGN_OR_RETURN(node.op, take_name("the name of an op"));
  }
  MORU_RETURN_IF_ERROR(take("("));
  while (!at(")")) {
    if (!node.inputs.empty()) MORU_RETURN_IF_ERROR(take(","));
    if (at_word("_")) {
      node.inputs.push_back(kNoValue);
      MORU_RETURN_IF_ERROR(advance());
      continue;
    }
    const Token use = token_;
    MORU_ASSIGN_OR_RETURN(const ValueId id, parse_use());
    for (const ValueId output : node.outputs) {
      if (output == id) return fail(error_at(use, fmt::format("found '{}', expected a value that is made above", graph_.value(id).name)));
    }
    node.inputs.push_back(id);
  }
  MORU_RETURN_IF_ERROR(advance());
  if (at("{")) {
    MORU_RETURN_IF_ERROR(advance());
    while (!at("}")) {
      if (!node.attributes.empty()) MORU_RETURN_IF_ERROR(take(","));
      MORU_ASSIGN_OR_RETURN(std::string name, take_name("the name of an attribute"));
      if (node.attributes.contains(name))
        return fail(error_at(name_token_, fmt::format("found a second attribute '{}', expected one", name)));
      MORU_RETURN_IF_ERROR(take("="));
      MORU_ASSIGN_OR_RETURN(Attribute value, parse_attribute());
      node.attributes.emplace(std::move(name), std::move(value));
    }
    MORU_RETURN_IF_ERROR(advance());
  }
  if (at_word("as")) {
    MORU_RETURN_IF_ERROR(advance());
    MORU_ASSIGN_OR_RETURN(node.name, take_name("the name of the node"));
  }
  graph_.nodes().push_back(std::move(node));
  return {};
}

Status Parser::parse_item() {
  if (at_word("opset")) {
    MORU_RETURN_IF_ERROR(advance());
    MORU_ASSIGN_OR_RETURN(graph_.opset, take_int("an opset number"));
    return {};
  }
  if (at_word("meta")) {
    MORU_RETURN_IF_ERROR(advance());
    MORU_ASSIGN_OR_RETURN(std::string key, take_string());
    MORU_RETURN_IF_ERROR(take("="));
    MORU_ASSIGN_OR_RETURN(std::string value, take_string());
    graph_.metadata.emplace_back(std::move(key), std::move(value));
    return {};
  }
  if (at_word("input")) {
    MORU_RETURN_IF_ERROR(advance());
    MORU_ASSIGN_OR_RETURN(const ValueId id, parse_new_value());
    graph_.inputs.push_back(id);
    return {};
  }
  if (at_word("init")) {
    MORU_RETURN_IF_ERROR(advance());
    MORU_ASSIGN_OR_RETURN(const ValueId id, parse_new_value());
    MORU_RETURN_IF_ERROR(take("="));
    MORU_ASSIGN_OR_RETURN(Tensor tensor, parse_tensor());
    graph_.set_initializer(id, std::move(tensor));
    return {};
  }
  if (at_word("output")) {
    MORU_RETURN_IF_ERROR(advance());
    MORU_ASSIGN_OR_RETURN(const ValueId id, parse_use());
    graph_.outputs.push_back(id);
    return {};
  }
  return parse_node();
}

Result<Graph> Parser::parse_graph() {
  MORU_RETURN_IF_ERROR(take_word("graph"));
  MORU_ASSIGN_OR_RETURN(graph_.name, take_string());
  MORU_RETURN_IF_ERROR(take("{"));
  while (!at("}")) {
    if (token_.kind == TokenKind::kEnd) return expected("'}' at the end of the graph");
    MORU_RETURN_IF_ERROR(parse_item());
  }
  MORU_RETURN_IF_ERROR(advance());
  return std::move(graph_);
}

Status Parser::expect_end() {
  if (token_.kind != TokenKind::kEnd) return expected("the end of the text");
  return {};
}

}  // namespace

Result<Graph> parse_text(std::string_view text) {
  Parser parser(text);
  MORU_RETURN_IF_ERROR(parser.start());
  MORU_ASSIGN_OR_RETURN(Graph graph, parser.parse_graph());
  MORU_RETURN_IF_ERROR(parser.expect_end());
  return graph;
}

Result<Tensor> parse_tensor_text(std::string_view text) {
  Parser parser(text);
  MORU_RETURN_IF_ERROR(parser.start());
  MORU_ASSIGN_OR_RETURN(Tensor tensor, parser.parse_tensor());
  MORU_RETURN_IF_ERROR(parser.expect_end());
  return tensor;
}

}  // namespace moru::model
