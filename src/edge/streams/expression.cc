// SPDX-License-Identifier: Apache-2.0
// Running an expression's program. Types were settled when it was compiled, so nothing is checked here but what depends on data.
#include "edge/streams/expression.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace moru::edge {

std::string_view to_string(Fault fault) {
  switch (fault) {
    case Fault::kNone: return "none";
    case Fault::kMissing: return "field missing";
    case Fault::kOverflow: return "integer overflow";
    case Fault::kDivision: return "division by zero";
  }
  return "unknown";
}

namespace {

using Value = Expression::Value;

/// 2^63: the first double that is too large for an int64.
constexpr double kTwo63 = 9223372036854775808.0;

bool to_integer(double number, std::int64_t& result) {
  if (!(number >= -kTwo63 && number < kTwo63)) return false;  // a NaN neither
  result = static_cast<std::int64_t>(number);
  return true;
}

}  // namespace

// The stack grows upwards; `top` is its last value. A binary operator takes `top` as its right side.
Fault Expression::run(const Item& item, Value& value) const {
  std::array<Value, kMaxStack + 1> stack;
  Value* top = stack.data();
  const auto truth = [](bool yes) { return std::int64_t{yes ? 1 : 0}; };
  for (std::size_t at = 0; at < program_.size(); ++at) {
    const Instruction& one = program_[at];
    switch (one.code) {
      case Code::kConstant: *++top = constants_[one.arg]; break;
      case Code::kFieldInteger: {
        const Field* const field = fields_[one.arg].in(item);
        if (field == nullptr || field->integer() == nullptr) return Fault::kMissing;
        (++top)->integer = *field->integer();
        break;
      }
      case Code::kFieldNumber: {
        const Field* const field = fields_[one.arg].in(item);
        if (field == nullptr || field->number() == nullptr) return Fault::kMissing;
        (++top)->number = *field->number();
        break;
      }
      case Code::kFieldText: {
        const Field* const field = fields_[one.arg].in(item);
        const auto text = field == nullptr ? std::nullopt : field->text();
        if (!text) return Fault::kMissing;
        (++top)->text = *text;
        break;
      }
      case Code::kTime: (++top)->integer = item.event_time; break;
      case Code::kSequence: (++top)->integer = static_cast<std::int64_t>(item.sequence); break;
      case Code::kHas: (++top)->integer = truth(fields_[one.arg].in(item) != nullptr); break;
      case Code::kToDouble: top->number = static_cast<double>(top->integer); break;
      case Code::kToInteger:
        if (!to_integer(top->number, top->integer)) return Fault::kOverflow;
        break;
      case Code::kAddInteger:
        --top;
        if (__builtin_add_overflow(top->integer, top[1].integer, &top->integer)) return Fault::kOverflow;
        break;
      case Code::kSubInteger:
        --top;
        if (__builtin_sub_overflow(top->integer, top[1].integer, &top->integer)) return Fault::kOverflow;
        break;
      case Code::kMulInteger:
        --top;
        if (__builtin_mul_overflow(top->integer, top[1].integer, &top->integer)) return Fault::kOverflow;
        break;
      case Code::kModInteger:
        --top;
        if (top[1].integer == 0) return Fault::kDivision;
        top->integer = top[1].integer == -1 ? 0 : top->integer % top[1].integer;  // INT64_MIN % -1 traps
        break;
      case Code::kNegInteger:
        if (__builtin_sub_overflow(std::int64_t{0}, top->integer, &top->integer)) return Fault::kOverflow;
        break;
      case Code::kAbsInteger:
        if (top->integer == std::numeric_limits<std::int64_t>::min()) return Fault::kOverflow;
        top->integer = std::abs(top->integer);
        break;
      case Code::kMinInteger:
        --top;
        top->integer = std::min(top->integer, top[1].integer);
        break;
      case Code::kMaxInteger:
        --top;
        top->integer = std::max(top->integer, top[1].integer);
        break;
      case Code::kAddDouble:
        --top;
        top->number += top[1].number;
        break;
      case Code::kSubDouble:
        --top;
        top->number -= top[1].number;
        break;
      case Code::kMulDouble:
        --top;
        top->number *= top[1].number;
        break;
      case Code::kDivDouble:
        --top;
        top->number /= top[1].number;
        break;
      case Code::kModDouble:
        --top;
        top->number = std::fmod(top->number, top[1].number);
        break;
      case Code::kNegDouble: top->number = -top->number; break;
      case Code::kAbsDouble: top->number = std::abs(top->number); break;
      case Code::kMinDouble:
        --top;
        top->number = std::min(top->number, top[1].number);
        break;
      case Code::kMaxDouble:
        --top;
        top->number = std::max(top->number, top[1].number);
        break;
      case Code::kSqrt: top->number = std::sqrt(top->number); break;
      case Code::kPow:
        --top;
        top->number = std::pow(top->number, top[1].number);
        break;
      case Code::kExp: top->number = std::exp(top->number); break;
      case Code::kLog: top->number = std::log(top->number); break;
      case Code::kFloor: top->number = std::floor(top->number); break;
      case Code::kCeil: top->number = std::ceil(top->number); break;
      case Code::kRound: top->number = std::round(top->number); break;
      case Code::kEqInteger:
        --top;
        top->integer = truth(top->integer == top[1].integer);
        break;
      case Code::kLtInteger:
        --top;
        top->integer = truth(top->integer < top[1].integer);
        break;
      case Code::kLeInteger:
        --top;
        top->integer = truth(top->integer <= top[1].integer);
        break;
      case Code::kEqDouble:
        --top;
        top->integer = truth(top->number == top[1].number);
        break;
      case Code::kLtDouble:
        --top;
        top->integer = truth(top->number < top[1].number);
        break;
      case Code::kLeDouble:
        --top;
        top->integer = truth(top->number <= top[1].number);
        break;
      case Code::kEqText:
        --top;
        top->integer = truth(top->text == top[1].text);
        break;
      case Code::kLtText:
        --top;
        top->integer = truth(top->text < top[1].text);
        break;
      case Code::kLeText:
        --top;
        top->integer = truth(top->text <= top[1].text);
        break;
      case Code::kNot: top->integer = truth(top->integer == 0); break;
      case Code::kTruthInteger: top->integer = truth(top->integer != 0); break;
      case Code::kTruthDouble: top->integer = truth(top->number < 0.0 || top->number > 0.0); break;  // a NaN is not true
      case Code::kSwap: std::swap(top[-1], top[0]); break;
      case Code::kLength: top->integer = static_cast<std::int64_t>(top->text.size()); break;
      case Code::kContains:
        --top;
        top->integer = truth(top->text.find(top[1].text) != std::string_view::npos);
        break;
      case Code::kStartsWith:
        --top;
        top->integer = truth(top->text.starts_with(top[1].text));
        break;
      case Code::kEndsWith:
        --top;
        top->integer = truth(top->text.ends_with(top[1].text));
        break;
      case Code::kJump: at += one.arg; break;
      case Code::kJumpIfZero:
        if ((top--)->integer == 0) at += one.arg;
        break;
      case Code::kJumpIfZeroKeep:
        if (top->integer == 0) at += one.arg;
        break;
      case Code::kJumpIfNotZeroKeep:
        if (top->integer != 0) at += one.arg;
        break;
      case Code::kPop: --top; break;
    }
  }
  value = *top;
  return Fault::kNone;
}

Fault Expression::test(const Item& item, bool& result) const {
  Value value;
  const Fault fault = run(item, value);
  if (fault == Fault::kNone) result = type_ == FieldType::kInt64 ? value.integer != 0 : value.number < 0.0 || value.number > 0.0;
  return fault;
}

}  // namespace moru::edge
