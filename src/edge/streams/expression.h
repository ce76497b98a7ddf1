// SPDX-License-Identifier: Apache-2.0
// Expressions over an item's fields: "temperature > 30 and device != 'test'". Compiled once against the link's schema; running
// one allocates nothing.
//
//   or  and  not  == != < <= > >=  + -  * / %  unary -  ( )      weakest first; && || ! are the same words
//   12  1.5e3  'text' (a quote is doubled)  true  false          true is 1, false is 0
//   NAME  `odd name`                                             a field; `time` (ns since 1970) and `seq` are the item's own
//   abs min max sqrt pow exp log floor ceil round int double if(c, a, b) has(NAME) length contains starts_with ends_with
//
// int64 op int64 is int64, but / is always double; with a double on one side it is double. Whatever is compared, added or
// subtracted must have the same unit, where both are known.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "edge/streams/item.h"
#include "edge/streams/schema.h"

namespace moru::edge {

/// Why an expression has no value for an item: a reason to drop it.
enum class Fault : std::uint8_t { kNone, kMissing, kOverflow, kDivision };
std::string_view to_string(Fault fault);  ///< "field missing", "integer overflow", "division by zero"

class Expression {
 public:
  struct Value {
    union {
      std::int64_t integer = 0;
      double number;
    };
    std::string_view text = {};
  };

  /// Errors (kInvalidArgument) give `where` (file and line), the column and what was expected there.
  static Result<Expression> compile(std::string_view text, const Schema& schema, std::string_view where);

  /// The same for a condition: one that gives a text is an error, too.
  static Result<Expression> condition(std::string_view text, const Schema& schema, std::string_view where);

  FieldType type() const { return type_; }  ///< kInt64, kDouble or kText
  const std::string& unit() const { return unit_; }
  /// Puts the value into `value` (its texts lie in the item or the expression). Threads: one at a time.
  Fault run(const Item& item, Value& value) const;
  /// True when the value is not 0. The type is kInt64 or kDouble; a NaN is not true.
  Fault test(const Item& item, bool& result) const;

  static constexpr std::size_t kMaxText = 4096;  ///< bytes of an expression
  static constexpr std::size_t kMaxStack = 32;   ///< values at a time

 private:
  friend class ExpressionCompiler;
  enum class Code : std::uint8_t;
  struct Instruction {
    Code code;
    std::uint32_t arg = 0;  ///< a field, a constant, or how far to jump
  };
  Expression() = default;

  std::vector<Instruction> program_;
  std::vector<FieldFinder> fields_;
  std::vector<Value> constants_;
  std::vector<std::unique_ptr<const std::string>> texts_;  ///< of the constants
  FieldType type_ = FieldType::kInt64;
  std::string unit_;
};

enum class Expression::Code : std::uint8_t {
  kConstant,
  kFieldInteger,
  kFieldNumber,
  kFieldText,
  kTime,
  kSequence,
  kHas,
  kToDouble,
  kToInteger,
  kAddInteger,
  kSubInteger,
  kMulInteger,
  kModInteger,
  kNegInteger,
  kAbsInteger,
  kMinInteger,
  kMaxInteger,
  kAddDouble,
  kSubDouble,
  kMulDouble,
  kDivDouble,
  kModDouble,
  kNegDouble,
  kAbsDouble,
  kMinDouble,
  kMaxDouble,
  kSqrt,
  kPow,
  kExp,
  kLog,
  kFloor,
  kCeil,
  kRound,
  kEqInteger,
  kLtInteger,
  kLeInteger,
  kEqDouble,
  kLtDouble,
  kLeDouble,
  kEqText,
  kLtText,
  kLeText,
  kNot,
  kTruthInteger,
  kTruthDouble,
  kSwap,
  kLength,
  kContains,
  kStartsWith,
  kEndsWith,
  kJump,
  kJumpIfZero,
  kJumpIfZeroKeep,
  kJumpIfNotZeroKeep,
  kPop,
};

}  // namespace moru::edge
