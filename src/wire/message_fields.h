// SPDX-License-Identifier: Apache-2.0
// Reads one JSON object of a message, for messages.cc only.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/json.h"
#include "wire/messages.h"

namespace moru::wire {

// Counts stay below 2^53, so that every reader of JSON (the page too) sees them exactly.
inline constexpr std::uint64_t kMaxMessageCount = std::uint64_t{1} << 53U;

/// Reads the fields of one JSON object and keeps the first mistake.
class Fields {
 public:
  Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) note(fmt::format("{}: found {}, expected an object", where_, object.type_name()));
  }

  std::string text(std::string_view key, std::size_t max_bytes) {
    std::string value = get<std::string>(key);
    if (value.size() > max_bytes) {
      note(fmt::format("{}: field '{}' has {} bytes, expected at most {}", where_, key, value.size(), max_bytes));
      value.clear();
    }
    return value;
  }
  /// A name as valid_node_name() has it.
  std::string name(std::string_view key) {
    std::string value = get<std::string>(key);
    if (!valid_node_name(value)) note(fmt::format("{}: field '{}' is no name, expected 1 to 64 letters, digits, '-' or '_'", where_, key));
    return value;
  }
  std::uint64_t count(std::string_view key, std::uint64_t max = kMaxMessageCount) { return ranged<std::uint64_t>(key, 0, max); }
  std::int64_t integer(std::string_view key, std::int64_t min, std::int64_t max) { return ranged<std::int64_t>(key, min, max); }
  TimeNs time(std::string_view key) { return integer(key, 0, std::numeric_limits<TimeNs>::max()); }
  double number(std::string_view key, double max) {
    const auto value = get<double>(key);
    if (!(value >= 0.0 && value <= max)) note(fmt::format("{}: field '{}' is out of range, expected 0 to {}", where_, key, max));
    return value;
  }
  bool has(std::string_view key) const { return object_.is_object() && object_.contains(std::string(key)); }
  /// A field that is an object or list; null when it is missing (noted).
  const Json* child(std::string_view key, bool list, std::size_t max_items = 0) {
    const auto it = object_.is_object() ? object_.find(std::string(key)) : object_.end();
    if (!object_.is_object() || it == object_.end() || (list ? !it->is_array() : !it->is_object())) {
      note(fmt::format("{}: field '{}' is missing or of the wrong type, expected {}", where_, key, list ? "a list" : "an object"));
      return nullptr;
    }
    if (list && it->size() > max_items) {
      note(fmt::format("{}: field '{}' has {} entries, expected at most {}", where_, key, it->size(), max_items));
      return nullptr;
    }
    return &*it;
  }
  std::string where(std::string_view key) const { return fmt::format("{}.{}", where_, key); }
  void note(std::string message) { note(Error{ErrorCode::kInvalidArgument, std::move(message)}); }
  void note(const Status& status) {
    if (!status) note(status.error());
  }
  Status status() const {
    if (error_) return fail(*error_);
    return {};
  }

 private:
  template <class T>
  T get(std::string_view key) {
    if (error_) return T{};
    auto value = json_field<T>(object_, key, where_);
    if (!value) {
      note(value.error());
      return T{};
    }
    return std::move(*value);
  }
  template <class T>
  T ranged(std::string_view key, T min, T max) {
    const T value = get<T>(key);
    if (value < min || value > max) note(fmt::format("{}: field '{}' is {}, expected {} to {}", where_, key, value, min, max));
    return value;
  }
  void note(Error error) {
    if (!error_) error_ = std::move(error);
  }

  const Json& object_;
  std::string where_;
  std::optional<Error> error_;
};

}  // namespace moru::wire
