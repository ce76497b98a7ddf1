// SPDX-License-Identifier: Apache-2.0
#include "model/graph/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace moru::model::text {

bool is_keyword(std::string_view word) { return std::ranges::find(kKeywords, word) != kKeywords.end(); }

Error error_at(const Token& token, std::string_view message) {
  return {ErrorCode::kInvalidArgument, fmt::format("{}:{}: {}", token.line, token.column, message)};
}

void Lexer::step() {
  if (text_[at_] == '\n') {
    ++line_;
    column_ = 1;
  } else {
    ++column_;
  }
  ++at_;
}

void Lexer::skip_blanks() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '#') {
      while (at_ < text_.size() && text_[at_] != '\n') step();
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      step();
    } else {
      return;
    }
  }
}

Result<std::string> Lexer::read_string(const Token& start) {
  std::string value;
  step();  // the opening quote
  while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') {
    if (text_[at_] != '\\') {
      value += text_[at_];
      step();
      continue;
    }
    step();
    const char escape = at_ < text_.size() ? text_[at_] : '\0';
    if (escape == '"' || escape == '\\') {
      value += escape;
    } else if (escape == 'n') {
      value += '\n';
    } else if (escape == 't') {
      value += '\t';
    } else if (escape == 'x' && at_ + 2 < text_.size()) {
      unsigned code = 0;
      const char* digits = text_.data() + at_ + 1;
      const auto [end, failure] = std::from_chars(digits, digits + 2, code, 16);
      if (failure != std::errc{} || end != digits + 2)
        return fail(error_at(start, "found a bad \\x escape, expected two hexadecimal digits"));
      value += static_cast<char>(code);
      step();
      step();
    } else {
      return fail(error_at(start, "found an unknown escape in a string, expected one of \\\" \\\\ \\n \\t \\xHH"));
    }
    step();
  }
  if (at_ >= text_.size() || text_[at_] != '"') return fail(error_at(start, "found a string without end, expected '\"' on the same line"));
  step();
  return value;
}

Result<Token> Lexer::next() {
  skip_blanks();
  Token token;
  token.line = line_;
  token.column = column_;
  const std::size_t start = at_;
  if (at_ == text_.size()) return token;
  const char c = text_[at_];
  if (c == '"') {
    token.kind = TokenKind::kString;
    MORU_ASSIGN_OR_RETURN(token.value, read_string(token));
  } else if (starts_word(c)) {
    token.kind = TokenKind::kWord;
    while (at_ < text_.size() && continues_word(text_[at_])) step();
  } else if ((c >= '0' && c <= '9') || c == '-' || c == '+') {
    token.kind = TokenKind::kNumber;
    step();
    // '+' only as the sign of an exponent; a number that is none is found when it is read.
    while (at_ < text_.size() && (continues_word(text_[at_]) || (text_[at_] == '+' && text_[at_ - 1] == 'e'))) step();
  } else if (std::string_view("{}[](),:=?*").find(c) != std::string_view::npos) {
    token.kind = TokenKind::kPunctuation;
    step();
    if (c == ':' && at_ < text_.size() && text_[at_] == ':') step();
  } else if (c == '<') {
    return fail(error_at(token, "found '<', expected '{'; the values of this tensor were left out when the text was written"));
  } else {
    const auto byte = static_cast<unsigned char>(c);
    return fail(error_at(token, byte >= 0x20 && byte < 0x7f
                                    ? fmt::format("found '{}', expected a name, number, string or one of {{}}[](),:=?*_", c)
                                    : fmt::format("found byte 0x{:02x}, expected text", byte)));
  }
  token.spelling = text_.substr(start, at_ - start);
  return token;
}

}  // namespace moru::model::text
