// SPDX-License-Identifier: Apache-2.0
// Tokens of the text form; for the parser and the writer only.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace moru::model::text {

enum class TokenKind : std::uint8_t { kWord, kNumber, kString, kPunctuation, kEnd };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view spelling;  ///< as written, borrowed from the text
  std::string value;          ///< a string's content without quotes and escapes
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

/// Words that begin a line or stand in a fixed place: values of these names are written in quotes.
inline constexpr std::array<std::string_view, 9> kKeywords = {"graph", "opset", "meta", "input", "init", "output", "as", "quant", "_"};
bool is_keyword(std::string_view word);

constexpr bool starts_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/' || c == '.'; }
constexpr bool continues_word(char c) { return starts_word(c) || (c >= '0' && c <= '9') || c == '-'; }

/// Walks over a text. Copy it to look ahead.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  /// The next token; kEnd again and again at the end. Errors: a character that begins nothing, an open string, a bad escape.
  Result<Token> next();

 private:
  void skip_blanks();
  void step();
  Result<std::string> read_string(const Token& start);

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::uint32_t column_ = 1;
};

/// kInvalidArgument "line:column: message".
Error error_at(const Token& token, std::string_view message);

}  // namespace moru::model::text
