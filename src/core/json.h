// SPDX-License-Identifier: Apache-2.0
// JSON from outside, read without exceptions. Include it in .cc files; headers take core/json_fwd.h.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/json_fwd.h"
#include "core/result.h"

namespace moru {

/// Parses untrusted text; `where` begins the error message. Depth is limited to 64, so that hostile nesting cannot
/// exhaust the stack.
Result<Json> parse_json(std::string_view text, std::string_view where);

/// Reads field `key` of an object as T (bool, integer, floating point, std::string, or Json for any value), with an
/// error that names the field, what was found and what was expected. Integers are range-checked.
template <class T>
Result<T> json_field(const Json& object, std::string_view key, std::string_view where) {
  const auto missing = [&](std::string_view expected) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: field '{}' is missing or of the wrong type, expected {}", where, key, expected));
  };
  if (!object.is_object())
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {}, expected an object", where, object.type_name()));
  const auto it = object.find(key);
  if constexpr (std::is_same_v<T, Json>) {
    if (it == object.end()) return missing("a value");
    return Json(*it);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (it == object.end() || !it->is_boolean()) return missing("true or false");
    return it->template get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    if (it == object.end() || !it->is_number_integer()) return missing("an integer");
    if (it->is_number_unsigned()) {
      const auto value = it->template get<std::uint64_t>();
      if (!std::in_range<T>(value)) return missing("an integer in range");
      return static_cast<T>(value);
    }
    const auto value = it->template get<std::int64_t>();
    if (!std::in_range<T>(value)) return missing("an integer in range");
    return static_cast<T>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (it == object.end() || !it->is_number()) return missing("a number");
    return it->template get<T>();
  } else {
    static_assert(std::is_same_v<T, std::string>);
    if (it == object.end() || !it->is_string()) return missing("a string");
    return it->template get<std::string>();
  }
}

/// Field `key` as T, or `fallback` where it is missing or of another type: for what is only shown.
template <class T>
T json_or(const Json& object, std::string_view key, T fallback) {
  auto value = json_field<T>(object, key, "");
  return value ? std::move(*value) : std::move(fallback);
}

}  // namespace moru
