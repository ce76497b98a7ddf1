// SPDX-License-Identifier: Apache-2.0
// An expression as its parser sees it, before types.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace moru::edge {

struct ExpressionNode {
  enum class Kind : std::uint8_t { kInteger, kNumber, kText, kField, kUnary, kBinary, kCall };
  Kind kind;
  std::size_t column = 1;  ///< from 1, in bytes
  std::string word;        ///< the field, the operator ("and", "<=") or the function
  std::int64_t integer = 0;
  double number = 0.0;
  std::vector<std::unique_ptr<ExpressionNode>> parts;
};

/// Errors: kInvalidArgument with the column. Untrusted text: at most 4 KiB, nested at most 64 deep.
Result<std::unique_ptr<ExpressionNode>> parse_expression(std::string_view text, std::string_view where);

/// "<where>: column 3 of 'a + ': <found>, expected <expected>"
std::string expression_mistake(std::string_view where, std::string_view text, std::size_t column, std::string_view found,
                               std::string_view expected);

}  // namespace moru::edge
