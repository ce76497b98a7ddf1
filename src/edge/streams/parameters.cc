// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/json.h"
#include "core/text.h"
#include "edge/streams/stream.h"

namespace moru::edge {
namespace {

/// Digits with at most one sign, point and exponent: what YAML reads as a number and nothing else.
bool plain_number(std::string_view text) {
  auto result = Json::parse(text, nullptr, false);
  return result.is_number();
}

std::string yaml_value(const std::string& value) {
  // JSON's quoted strings are YAML's double-quoted ones.
  return plain_number(value) ? value : Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Result<std::string> fill_parameters(std::string_view text, const std::map<std::string, std::string>& values, std::string_view where) {
  std::vector<std::string> known;
  for (const auto& [name, value] : values) known.push_back(name);
  std::set<std::string> used;
  std::string filled;
  std::size_t at = 0;
  while (true) {
    const auto open = text.find("${", at);
    filled.append(text.substr(at, open == std::string_view::npos ? open : open - at));
    if (open == std::string_view::npos) break;
    const auto line = 1 + std::ranges::count(text.substr(0, open), '\n');
    const auto close = text.find_first_of("}\n", open);
    if (close == std::string_view::npos || text[close] != '}') {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}:{}: found '${{' without an end, expected '${{name}}'", where, line));
    }
    const std::string name(text.substr(open + 2, close - open - 2));
    const auto value = values.find(name);
    if (value == values.end()) {
      const auto expected = known.empty() ? std::string("a value for it") : fmt::format("one of {}", fmt::join(known, ", "));
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}:{}: found parameter '{}'{} without a value, expected {}", where, line, name,
                                                           did_you_mean(name, known), expected));
    }
    used.insert(name);
    filled += yaml_value(value->second);
    at = close + 1;
  }
  for (const auto& name : known) {
    if (used.contains(name)) continue;
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found a value for '{}', expected only parameters that the file has", where, name));
  }
  return filled;
}

}  // namespace moru::edge
