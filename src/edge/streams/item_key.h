// SPDX-License-Identifier: Apache-2.0
// The key of an item: some of its fields as bytes, to look a state up by.
#pragma once

#include <fmt/format.h>

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/streams/item.h"
#include "edge/streams/schema.h"

namespace moru::edge {

/// The number in a field, whole or not.
inline std::optional<double> number_of(const Field* field) {
  if (field == nullptr) return std::nullopt;
  if (const auto* number = field->number()) return *number;
  if (const auto* integer = field->integer()) return static_cast<double>(*integer);
  return std::nullopt;
}

/// Whether a span of event time can be added to it without an overflow: the years 1823 to 2116.
inline bool in_time_range(TimeNs time) {
  constexpr TimeNs kFar = std::numeric_limits<TimeNs>::max() / 2;
  return time >= -kFar && time <= kFar;
}

/// Checks that a key's fields are there and int64 or text. `where`: the option that names them.
inline Status check_key(const Schema& schema, const std::vector<FieldName>& key, std::string_view where) {
  for (const FieldName name : key) {
    MORU_ASSIGN_OR_RETURN(const FieldSpec* field, schema.need(where, name.text()));
    if (field == nullptr || field->type == FieldType::kInt64 || field->type == FieldType::kText) continue;
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found key '{}' of type {}, expected int64 or text", where, name.text(), to_string(*field)));
  }
  return {};
}

/// Keeps its memory, so a key costs an allocation only where it is longer than all before it.
class ItemKey {
 public:
  explicit ItemKey(const std::vector<FieldName>& fields) {
    for (const FieldName name : fields) finders_.emplace_back(name);
  }

  /// False when a field is missing or no int64 or text.
  bool read(const Item& item) {
    bytes_.clear();
    for (const auto& finder : finders_) {
      const Field* const field = finder.in(item);
      if (field == nullptr) return false;
      if (const auto* integer = field->integer()) {
        bytes_.push_back('i');
        // Big-endian with the sign turned over: bytes in the order of the numbers.
        const auto bits = static_cast<std::uint64_t>(*integer) ^ (std::uint64_t{1} << 63U);
        for (int shift = 56; shift >= 0; shift -= 8) bytes_.push_back(static_cast<char>(bits >> static_cast<unsigned>(shift)));
      } else if (const auto text = field->text()) {
        bytes_.push_back('t');
        append(*text);
      } else {
        return false;
      }
    }
    return true;
  }
  const std::string& bytes() const { return bytes_; }
  Fields fields(const Item& item) const {
    Fields result;
    for (const auto& finder : finders_) result.set(*finder.in(item));
    return result;
  }

 private:
  /// With an end of two zeros; a zero in the text is a zero and 0xFF, so no two texts give the same bytes.
  void append(std::string_view text) {
    for (auto zero = text.find('\0'); zero != std::string_view::npos; zero = text.find('\0')) {
      bytes_.append(text.substr(0, zero + 1));
      bytes_.push_back('\xFF');
      text.remove_prefix(zero + 1);
    }
    bytes_.append(text);
    bytes_.append(2, '\0');
  }

  std::vector<FieldFinder> finders_;
  std::string bytes_;
};

}  // namespace moru::edge
