// SPDX-License-Identifier: Apache-2.0
// The text form as a stream with one token of look-ahead, and the small things that are read from it; for the parsers only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/graph/lexer.h"
#include "model/tensor/tensor.h"

namespace moru::model::text {

class TokenStream {
 public:
  explicit TokenStream(std::string_view text) : lexer_(text) {}

  /// Goes to the next token. Call it once before all else.
  Status advance();
  const Token& token() const { return token_; }
  bool at(std::string_view punctuation) const { return token_.kind == TokenKind::kPunctuation && token_.spelling == punctuation; }
  bool at_word(std::string_view word) const { return token_.kind == TokenKind::kWord && token_.spelling == word; }
  bool at_end() const { return token_.kind == TokenKind::kEnd; }

  /// The error "found ..., expected `what`" at this token.
  std::unexpected<Error> expected(std::string_view what) const;
  Status take(std::string_view punctuation);
  Status take_word(std::string_view word);
  /// Takes `punctuation` if it stands here.
  Result<bool> accept(std::string_view punctuation);
  Result<std::string> take_string();
  /// A word that is no keyword, or a string.
  Result<std::string> take_name(std::string_view what);
  /// An int of 0 or more.
  Result<std::int64_t> take_size(std::string_view what);
  /// One element of a tensor of type T, or an attribute's number.
  template <class T>
  Result<T> take_element();
  Result<DType> take_dtype();
  /// dtype [dims] {elements}
  Result<Tensor> take_tensor();

 private:
  template <class T>
  Result<T> take_nan();
  template <class T>
  Result<T> take_complex();
  Result<std::vector<std::string>> take_strings();
  template <class T>
  Result<Tensor> take_elements(Dims dims);

  Lexer lexer_;
  Token token_;
};

}  // namespace moru::model::text
