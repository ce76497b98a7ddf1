// SPDX-License-Identifier: Apache-2.0
// From the tree of an expression to its program: types and units are settled here.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>

#include "core/text.h"
#include "edge/streams/expression.h"
#include "edge/streams/expression_tree.h"

namespace moru::edge {

namespace {
using Node = ExpressionNode;

/// What is known of a part: its type and unit. A unit of "" fits any.
struct Typed {
  FieldType type = FieldType::kInt64;
  std::string unit = {};
  bool is_number() const { return type != FieldType::kText; }
};

}  // namespace

/// Emits the program part by part, and keeps count of the stack.
class ExpressionCompiler {
 public:
  using Code = Expression::Code;
  ExpressionCompiler(std::string_view text, const Schema& schema, std::string_view where) : text_(text), schema_(schema), where_(where) {}

  Result<Expression> compile(const Node& node) {
    MORU_ASSIGN_OR_RETURN(auto typed, part(node));
    out_.type_ = typed.type;
    out_.unit_ = std::move(typed.unit);
    return std::move(out_);
  }

 private:
  struct Function {
    std::string_view name;
    Code integer;  ///< of int64 arguments
    Code number;   ///< of double ones; of functions that only know doubles the same as `integer`
    int arguments;
    bool keeps_unit;
  };
  static constexpr std::array<Function, 10> kFunctions = {{{"abs", Code::kAbsInteger, Code::kAbsDouble, 1, true},
                                                           {"min", Code::kMinInteger, Code::kMinDouble, 2, true},
                                                           {"max", Code::kMaxInteger, Code::kMaxDouble, 2, true},
                                                           {"floor", Code::kFloor, Code::kFloor, 1, true},
                                                           {"ceil", Code::kCeil, Code::kCeil, 1, true},
                                                           {"round", Code::kRound, Code::kRound, 1, true},
                                                           {"sqrt", Code::kSqrt, Code::kSqrt, 1, false},
                                                           {"exp", Code::kExp, Code::kExp, 1, false},
                                                           {"log", Code::kLog, Code::kLog, 1, false},
                                                           {"pow", Code::kPow, Code::kPow, 2, false}}};
  struct TextFunction {
    std::string_view name;
    Code code;
    int arguments;
  };
  static constexpr std::array<TextFunction, 4> kTextFunctions = {{{"length", Code::kLength, 1},
                                                                  {"contains", Code::kContains, 2},
                                                                  {"starts_with", Code::kStartsWith, 2},
                                                                  {"ends_with", Code::kEndsWith, 2}}};

  std::unexpected<Error> mistake(const Node& node, std::string_view found, std::string_view expected) const {
    return fail(ErrorCode::kInvalidArgument, expression_mistake(where_, text_, node.column, found, expected));
  }
  void emit(Code code, std::size_t arg = 0) { out_.program_.push_back({code, static_cast<std::uint32_t>(arg)}); }

  /// One more value on the stack.
  Status push(const Node& node) {
    if (++depth_ > Expression::kMaxStack)
      return mistake(node, "more values at a time than fit", fmt::format("at most {}", Expression::kMaxStack));
    return {};
  }
  /// A jump whose way is filled in by land().
  std::size_t jump(Code code) {
    emit(code);
    return out_.program_.size() - 1;
  }
  void land(std::size_t jump) { out_.program_[jump].arg = static_cast<std::uint32_t>(out_.program_.size() - 1 - jump); }

  std::size_t field_index(FieldName name) {
    const auto it = std::ranges::find(out_.fields_, name, &FieldFinder::name);
    if (it == out_.fields_.end()) out_.fields_.emplace_back(name);
    return static_cast<std::size_t>(std::ranges::find(out_.fields_, name, &FieldFinder::name) - out_.fields_.begin());
  }

  Status constant(const Node& node, Expression::Value value) {
    MORU_RETURN_IF_ERROR(push(node));
    out_.constants_.push_back(value);
    emit(Code::kConstant, out_.constants_.size() - 1);
    return {};
  }

  Result<Typed> part(const Node& node) {
    Expression::Value value;
    switch (node.kind) {
      case Node::Kind::kInteger:
        value.integer = node.integer;
        MORU_RETURN_IF_ERROR(constant(node, value));
        return Typed{FieldType::kInt64};
      case Node::Kind::kNumber:
        value.number = node.number;
        MORU_RETURN_IF_ERROR(constant(node, value));
        return Typed{FieldType::kDouble};
      case Node::Kind::kText:
        value.text = *out_.texts_.emplace_back(std::make_unique<const std::string>(node.word));
        MORU_RETURN_IF_ERROR(constant(node, value));
        return Typed{FieldType::kText};
      case Node::Kind::kField: return field(node);
      case Node::Kind::kUnary: return unary(node);
      case Node::Kind::kBinary: return node.word == "and" || node.word == "or" ? logic(node) : binary(node);
      case Node::Kind::kCall: return call(node);
    }
    return mistake(node, "a part of no kind", "one of the language");
  }

  Result<Typed> field(const Node& node) {
    MORU_RETURN_IF_ERROR(push(node));
    const FieldSpec* const found = schema_.find(node.word);
    if (found == nullptr && (node.word == "time" || node.word == "seq")) {
      emit(node.word == "time" ? Code::kTime : Code::kSequence);
      return Typed{FieldType::kInt64, node.word == "time" ? "ns" : ""};
    }
    if (found == nullptr) {
      const auto known = schema_.names();
      if (schema_.open)
        return mistake(node, fmt::format("field {}, whose type is not known here", in_quotes(node.word)),
                       "one that a source or stage before this one declares");
      return mistake(node, fmt::format("no field {} in the items{}", in_quotes(node.word), did_you_mean(node.word, known)),
                     known.empty() ? "none: they have no fields" : fmt::format("one of {}", fmt::join(known, ", ")));
    }
    switch (found->type) {
      case FieldType::kInt64: emit(Code::kFieldInteger, field_index(found->name)); break;
      case FieldType::kDouble: emit(Code::kFieldNumber, field_index(found->name)); break;
      case FieldType::kText: emit(Code::kFieldText, field_index(found->name)); break;
      case FieldType::kTensor: return mistake(node, fmt::format("field '{}', a tensor", node.word), "a number or a text");
    }
    return Typed{found->type, found->unit};
  }

  /// The part as 0 or 1.
  Status truth(const Node& node) {
    MORU_ASSIGN_OR_RETURN(const auto typed, part(node));
    if (!typed.is_number()) return mistake(node, "a text", "a number, or a comparison");
    emit(typed.type == FieldType::kInt64 ? Code::kTruthInteger : Code::kTruthDouble);
    return {};
  }

  Result<Typed> unary(const Node& node) {
    const Node& inner = *node.parts[0];
    if (node.word == "not") {
      MORU_RETURN_IF_ERROR(truth(inner));
      emit(Code::kNot);
      return Typed{FieldType::kInt64};
    }
    MORU_ASSIGN_OR_RETURN(auto typed, part(inner));
    if (!typed.is_number()) return mistake(inner, "a text", "a number");
    emit(typed.type == FieldType::kInt64 ? Code::kNegInteger : Code::kNegDouble);
    return typed;
  }

  Result<Typed> logic(const Node& node) {
    MORU_RETURN_IF_ERROR(truth(*node.parts[0]));
    const auto over = jump(node.word == "and" ? Code::kJumpIfZeroKeep : Code::kJumpIfNotZeroKeep);
    emit(Code::kPop);
    --depth_;
    MORU_RETURN_IF_ERROR(truth(*node.parts[1]));
    land(over);
    return Typed{FieldType::kInt64};
  }

  /// Two parts brought to one type: double when either is; both texts, or both numbers.
  Result<Typed> pair(const Node& node, bool always_double, bool same_unit) {
    MORU_ASSIGN_OR_RETURN(const auto left, part(*node.parts[0]));
    const std::size_t after_left = out_.program_.size();
    MORU_ASSIGN_OR_RETURN(const auto right, part(*node.parts[1]));
    if (left.is_number() != right.is_number())
      return mistake(node, fmt::format("{} and {} on the two sides of '{}'", to_string(left.type), to_string(right.type), node.word),
                     "two numbers or two texts");
    if (same_unit && !left.unit.empty() && !right.unit.empty() && left.unit != right.unit)
      return mistake(node, fmt::format("units '{}' and '{}' on the two sides of '{}'", left.unit, right.unit, node.word), "the same unit");
    Typed both{left.type, left.unit.empty() ? right.unit : left.unit};
    if (!left.is_number() || (left.type == right.type && (left.type == FieldType::kDouble || !always_double))) return both;
    // Jumps inside the right part are relative and lie behind the place, so they stay right.
    if (left.type == FieldType::kInt64)
      out_.program_.insert(out_.program_.begin() + static_cast<std::ptrdiff_t>(after_left), {Code::kToDouble, 0});
    if (right.type == FieldType::kInt64) emit(Code::kToDouble);
    both.type = FieldType::kDouble;
    return both;
  }

  Result<Typed> binary(const Node& node) {
    static constexpr std::array<std::string_view, 6> kComparisons = {"==", "!=", "<", "<=", ">", ">="};
    const bool compares = std::ranges::find(kComparisons, node.word) != kComparisons.end();
    const bool scales = node.word == "*" || node.word == "/";
    MORU_ASSIGN_OR_RETURN(auto typed, pair(node, node.word == "/", !scales));
    --depth_;
    if (compares) return comparison(node, typed);
    if (!typed.is_number()) return mistake(node, fmt::format("texts on the two sides of '{}'", node.word), "numbers");
    const bool integer = typed.type == FieldType::kInt64;
    switch (node.word[0]) {
      case '+': emit(integer ? Code::kAddInteger : Code::kAddDouble); break;
      case '-': emit(integer ? Code::kSubInteger : Code::kSubDouble); break;
      case '*': emit(integer ? Code::kMulInteger : Code::kMulDouble); break;
      case '/': emit(Code::kDivDouble); break;
      default: emit(integer ? Code::kModInteger : Code::kModDouble); break;
    }
    // A plain number times 2 keeps its unit only when one side is a constant: 2 m * 3 m is not 6 m.
    if (scales && !(node.parts[1]->kind == Node::Kind::kInteger || node.parts[1]->kind == Node::Kind::kNumber)) typed.unit.clear();
    return typed;
  }

  /// a > b is b < a, a != b is not (a == b).
  Result<Typed> comparison(const Node& node, const Typed& typed) {
    const auto pick = [&](Code integer, Code number, Code text) {
      if (typed.type == FieldType::kInt64) return integer;
      return typed.type == FieldType::kDouble ? number : text;
    };
    if (node.word[0] == '>') emit(Code::kSwap);
    if (node.word == "==" || node.word == "!=") {
      emit(pick(Code::kEqInteger, Code::kEqDouble, Code::kEqText));
      if (node.word == "!=") emit(Code::kNot);
    } else if (node.word.size() == 2) {
      emit(pick(Code::kLeInteger, Code::kLeDouble, Code::kLeText));
    } else {
      emit(pick(Code::kLtInteger, Code::kLtDouble, Code::kLtText));
    }
    return Typed{FieldType::kInt64};
  }

  Status count_arguments(const Node& node, std::size_t wanted) const {
    if (node.parts.size() == wanted) return {};
    return mistake(node, fmt::format("{} arguments of {}()", node.parts.size(), node.word), fmt::format("{}", wanted));
  }

  Result<Typed> call(const Node& node) {
    if (node.word == "if") return choice(node);
    if (node.word == "has") return has(node);
    if (node.word == "int" || node.word == "double") return conversion(node);
    const auto function = std::ranges::find(kFunctions, std::string_view(node.word), &Function::name);
    if (function != kFunctions.end()) return arithmetic(node, *function);
    const auto text = std::ranges::find(kTextFunctions, std::string_view(node.word), &TextFunction::name);
    if (text != kTextFunctions.end()) return on_texts(node, *text);
    std::vector<std::string> known = {"if", "has", "int", "double"};
    for (const auto& one : kFunctions) known.emplace_back(one.name);
    for (const auto& one : kTextFunctions) known.emplace_back(one.name);
    return mistake(node, fmt::format("unknown function {}(){}", node.word, did_you_mean(node.word, known)),
                   fmt::format("one of {}", fmt::join(known, ", ")));
  }

  Result<Typed> arithmetic(const Node& node, const Function& function) {
    MORU_RETURN_IF_ERROR(count_arguments(node, static_cast<std::size_t>(function.arguments)));
    const bool only_double = function.integer == function.number;
    Typed typed;
    if (function.arguments == 2) {
      MORU_ASSIGN_OR_RETURN(typed, pair(node, only_double, function.keeps_unit));
      --depth_;
    } else {
      MORU_ASSIGN_OR_RETURN(typed, part(*node.parts[0]));
      if (only_double && typed.type == FieldType::kInt64) emit(Code::kToDouble);
      if (only_double && typed.is_number()) typed.type = FieldType::kDouble;
    }
    if (!typed.is_number()) return mistake(node, fmt::format("a text in {}()", node.word), "a number");
    emit(typed.type == FieldType::kInt64 ? function.integer : function.number);
    if (!function.keeps_unit) typed.unit.clear();
    return typed;
  }

  Result<Typed> on_texts(const Node& node, const TextFunction& function) {
    MORU_RETURN_IF_ERROR(count_arguments(node, static_cast<std::size_t>(function.arguments)));
    for (const auto& argument : node.parts) {
      MORU_ASSIGN_OR_RETURN(const auto typed, part(*argument));
      if (typed.is_number()) return mistake(*argument, fmt::format("a number in {}()", node.word), "a text");
    }
    depth_ -= node.parts.size() - 1;
    emit(function.code);
    return Typed{FieldType::kInt64};
  }

  Result<Typed> conversion(const Node& node) {
    MORU_RETURN_IF_ERROR(count_arguments(node, 1));
    MORU_ASSIGN_OR_RETURN(auto typed, part(*node.parts[0]));
    if (!typed.is_number()) return mistake(*node.parts[0], "a text", "a number");
    const FieldType wanted = node.word == "int" ? FieldType::kInt64 : FieldType::kDouble;
    if (typed.type != wanted) emit(wanted == FieldType::kInt64 ? Code::kToInteger : Code::kToDouble);
    typed.type = wanted;
    return typed;
  }

  Result<Typed> has(const Node& node) {
    MORU_RETURN_IF_ERROR(count_arguments(node, 1));
    if (node.parts[0]->kind != Node::Kind::kField) return mistake(*node.parts[0], "no field in has()", "the name of one");
    MORU_RETURN_IF_ERROR(push(node));
    emit(Code::kHas, field_index(node.parts[0]->word));
    return Typed{FieldType::kInt64};
  }

  Result<Typed> choice(const Node& node) {
    MORU_RETURN_IF_ERROR(count_arguments(node, 3));
    MORU_RETURN_IF_ERROR(truth(*node.parts[0]));
    const auto to_other = jump(Code::kJumpIfZero);
    --depth_;
    MORU_ASSIGN_OR_RETURN(const auto first, part(*node.parts[1]));
    const auto over = jump(Code::kJump);
    land(to_other);
    --depth_;
    MORU_ASSIGN_OR_RETURN(const auto second, part(*node.parts[2]));
    land(over);
    if (first.type != second.type)
      return mistake(node, fmt::format("{} and {} as the two values of if()", to_string(first.type), to_string(second.type)),
                     "the same type; int() and double() convert");
    if (!first.unit.empty() && !second.unit.empty() && first.unit != second.unit)
      return mistake(node, fmt::format("units '{}' and '{}' as the two values of if()", first.unit, second.unit), "the same unit");
    return Typed{first.type, first.unit.empty() ? second.unit : first.unit};
  }

  std::string_view text_;
  const Schema& schema_;
  std::string_view where_;
  Expression out_;
  std::size_t depth_ = 0;
};

Result<Expression> Expression::compile(std::string_view text, const Schema& schema, std::string_view where) {
  MORU_ASSIGN_OR_RETURN(const auto tree, parse_expression(text, where));
  return ExpressionCompiler(text, schema, where).compile(*tree);
}

Result<Expression> Expression::condition(std::string_view text, const Schema& schema, std::string_view where) {
  MORU_ASSIGN_OR_RETURN(auto expression, compile(text, schema, where));
  if (expression.type() != FieldType::kText) return expression;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{}: found a text as the condition, expected a comparison, or a number that is 0 or not", where));
}

}  // namespace moru::edge
