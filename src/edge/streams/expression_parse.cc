// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/text.h"
#include "edge/streams/expression.h"
#include "edge/streams/expression_tree.h"

namespace moru::edge {

std::string expression_mistake(std::string_view where, std::string_view text, std::size_t column, std::string_view found,
                               std::string_view expected) {
  return fmt::format("{}: column {} of {}: found {}, expected {}", where, column, in_quotes(text), found, expected);
}

namespace {

using Node = ExpressionNode;
using NodePtr = std::unique_ptr<Node>;
using Kind = Node::Kind;

constexpr int kMaxDepth = 64;

struct Token {
  enum class Kind : std::uint8_t { kEnd, kInteger, kNumber, kText, kName, kQuotedName, kSign };
  Kind kind = Kind::kEnd;
  std::size_t column = 1;
  std::string text;  // of a text or name without its quotes; of a sign its usual form
  std::int64_t integer = 0;
  double number = 0.0;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class Lexer {
 public:
  Lexer(std::string_view text, std::string_view where) : text_(text), where_(where) {}

  Result<Token> next() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
    Token token{.column = at_ + 1, .text = {}};
    if (at_ == text_.size()) return token;
    const char c = text_[at_];
    if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) return number(std::move(token));
    if (c == '\'' || c == '`') return quoted(std::move(token), c);
    if (is_letter(c)) {
      const std::size_t begin = at_;
      while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
      token.kind = Token::Kind::kName;
      token.text = text_.substr(begin, at_ - begin);
      if (token.text == "and" || token.text == "or" || token.text == "not") token.kind = Token::Kind::kSign;
      return token;
    }
    return sign(std::move(token));
  }

 private:
  Result<Token> number(Token token) {
    const char* const begin = text_.data() + at_;
    const char* const end = text_.data() + text_.size();
    const auto whole = std::from_chars(begin, end, token.integer);
    const auto real = std::from_chars(begin, end, token.number);
    token.kind = whole.ec == std::errc() && whole.ptr == real.ptr ? Token::Kind::kInteger : Token::Kind::kNumber;
    if (real.ec != std::errc() || (real.ptr != end && is_letter(*real.ptr)))
      return fail(ErrorCode::kInvalidArgument,
                  expression_mistake(where_, text_, token.column, "no number that fits", "one such as 12 or 1.5e3"));
    at_ = static_cast<std::size_t>(real.ptr - text_.data());
    return token;
  }

  Result<Token> quoted(Token token, char quote) {
    token.kind = quote == '`' ? Token::Kind::kQuotedName : Token::Kind::kText;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] != quote) {
        token.text.push_back(text_[at_]);
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == quote) {
        token.text.push_back(quote);
        ++at_;
      } else {
        ++at_;
        return token;
      }
    }
    return fail(ErrorCode::kInvalidArgument,
                expression_mistake(where_, text_, token.column, fmt::format("{} without an end", quote), "the same sign again"));
  }

  Result<Token> sign(Token token) {
    // Longer ones first. The second is how the parser knows it.
    static constexpr std::array<std::array<std::string_view, 2>, 17> kSigns = {{{"==", "=="},
                                                                                {"!=", "!="},
                                                                                {"<=", "<="},
                                                                                {">=", ">="},
                                                                                {"&&", "and"},
                                                                                {"||", "or"},
                                                                                {"!", "not"},
                                                                                {"<", "<"},
                                                                                {">", ">"},
                                                                                {"+", "+"},
                                                                                {"-", "-"},
                                                                                {"*", "*"},
                                                                                {"/", "/"},
                                                                                {"%", "%"},
                                                                                {"(", "("},
                                                                                {")", ")"},
                                                                                {",", ","}}};
    for (const auto& [written, meant] : kSigns) {
      if (!text_.substr(at_).starts_with(written)) continue;
      at_ += written.size();
      token.kind = Token::Kind::kSign;
      token.text = meant;
      return token;
    }
    return fail(ErrorCode::kInvalidArgument,
                expression_mistake(where_, text_, token.column, in_quotes(text_.substr(at_, 1)),
                                   text_[at_] == '=' ? "==" : "a number, 'text', a field, a function or an operator"));
  }

  std::string_view text_;
  std::string_view where_;
  std::size_t at_ = 0;
};

class Parser {
 public:
  Parser(std::string_view text, std::string_view where) : text_(text), where_(where), lexer_(text, where) {}

  Result<NodePtr> parse() {
    MORU_RETURN_IF_ERROR(advance());
    MORU_ASSIGN_OR_RETURN(auto node, binary(0));
    if (token_.kind != Token::Kind::kEnd) return unexpected("an operator or the end");
    return node;
  }

 private:
  static constexpr int kNotLevel = 2;  // "not a == b" is not (a == b)
  static constexpr int kUnaryLevel = 6;

  Status advance() {
    MORU_ASSIGN_OR_RETURN(token_, lexer_.next());
    return {};
  }
  bool is(std::string_view sign) const { return token_.kind == Token::Kind::kSign && token_.text == sign; }

  std::unexpected<Error> unexpected(std::string_view expected) const {
    std::string found = token_.kind == Token::Kind::kEnd ? std::string("the end") : in_quotes(token_.text);
    if (token_.kind == Token::Kind::kInteger || token_.kind == Token::Kind::kNumber) found = fmt::format("{}", token_.number);
    return fail(ErrorCode::kInvalidArgument, expression_mistake(where_, text_, token_.column, found, expected));
  }

  NodePtr make(Kind kind, std::string word) const {
    return std::make_unique<Node>(Node{.kind = kind, .column = token_.column, .word = std::move(word), .parts = {}});
  }

  static int level_of(const Token& token) {
    if (token.kind != Token::Kind::kSign) return -1;
    static constexpr std::array<std::string_view, 6> kLevels = {" or ", " and ", " not ", " == != < <= > >= ", " + - ", " * / % "};
    for (std::size_t i = 0; i < kLevels.size(); ++i) {
      if (i != kNotLevel && kLevels[i].find(fmt::format(" {} ", token.text)) != std::string_view::npos) return static_cast<int>(i);
    }
    return -1;
  }

  /// Operators of `level` and stronger ones, from left to right.
  Result<NodePtr> binary(int level) {
    if (level == kUnaryLevel) return unary();
    if (level == kNotLevel) {
      if (!is("not")) return binary(level + 1);
      return prefix(kNotLevel);
    }
    MORU_ASSIGN_OR_RETURN(auto left, binary(level + 1));
    int chain = 0;
    while (level_of(token_) == level) {
      if (++chain > kMaxDepth) return unexpected(fmt::format("at most {} operators in a row; use brackets or several stages", kMaxDepth));
      auto node = make(Kind::kBinary, token_.text);
      MORU_RETURN_IF_ERROR(advance());
      MORU_ASSIGN_OR_RETURN(auto right, binary(level + 1));
      node->parts.push_back(std::move(left));
      node->parts.push_back(std::move(right));
      left = std::move(node);
    }
    return left;
  }

  Result<NodePtr> prefix(int level) {
    if (++depth_ > kMaxDepth) return unexpected(fmt::format("at most {} levels", kMaxDepth));
    auto node = make(Kind::kUnary, token_.text);
    MORU_RETURN_IF_ERROR(advance());
    MORU_ASSIGN_OR_RETURN(auto part, binary(level));
    node->parts.push_back(std::move(part));
    --depth_;
    return node;
  }

  Result<NodePtr> unary() {
    if (is("-")) return prefix(kUnaryLevel);
    return value();
  }

  Result<NodePtr> value() {
    NodePtr node;
    switch (token_.kind) {
      case Token::Kind::kInteger: node = make(Kind::kInteger, ""); break;
      case Token::Kind::kNumber: node = make(Kind::kNumber, ""); break;
      case Token::Kind::kText: node = make(Kind::kText, token_.text); break;
      case Token::Kind::kQuotedName: node = make(Kind::kField, token_.text); break;
      case Token::Kind::kName: return name();
      case Token::Kind::kSign:
        if (is("(")) return brackets();
        [[fallthrough]];
      case Token::Kind::kEnd: return unexpected("a number, 'text', a field or a function");
    }
    node->integer = token_.integer;
    node->number = token_.number;
    MORU_RETURN_IF_ERROR(advance());
    return node;
  }

  Result<NodePtr> brackets() {
    if (++depth_ > kMaxDepth) return unexpected(fmt::format("at most {} levels", kMaxDepth));
    MORU_RETURN_IF_ERROR(advance());
    MORU_ASSIGN_OR_RETURN(auto node, binary(0));
    if (!is(")")) return unexpected("')'");
    MORU_RETURN_IF_ERROR(advance());
    --depth_;
    return node;
  }

  Result<NodePtr> name() {
    auto node = make(Kind::kField, token_.text);
    MORU_RETURN_IF_ERROR(advance());
    if (!is("(")) {
      if (node->word != "true" && node->word != "false") return node;
      node->kind = Kind::kInteger;
      node->integer = node->word == "true" ? 1 : 0;
      return node;
    }
    if (++depth_ > kMaxDepth) return unexpected(fmt::format("at most {} levels", kMaxDepth));
    node->kind = Kind::kCall;
    do {
      MORU_RETURN_IF_ERROR(advance());
      MORU_ASSIGN_OR_RETURN(auto part, binary(0));
      node->parts.push_back(std::move(part));
    } while (is(","));
    if (!is(")")) return unexpected("')' or ','");
    MORU_RETURN_IF_ERROR(advance());
    --depth_;
    return node;
  }

  std::string_view text_;
  std::string_view where_;
  Lexer lexer_;
  Token token_;
  int depth_ = 0;
};

}  // namespace

Result<NodePtr> parse_expression(std::string_view text, std::string_view where) {
  if (text.size() > Expression::kMaxText) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found an expression of {} bytes, expected at most {}", where, text.size(), Expression::kMaxText));
  }
  return Parser(text, where).parse();
}

}  // namespace moru::edge
