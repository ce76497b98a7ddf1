// SPDX-License-Identifier: Apache-2.0
// What flows through a stream.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "model/tensor/tensor.h"

namespace moru::edge {

using FieldValue = std::variant<std::int64_t, double, std::string, model::Tensor>;

/// One item: a sequence number from its source, the time it happened, and named fields (few: a flat list). A name with a
/// dot in it ("tensor.mean") is a note from one stage to another; sinks leave it out.
struct Item {
  std::uint64_t sequence = 0;  ///< from 1, per source
  TimeNs event_time = 0;       ///< wall clock, nanoseconds
  TimeNs emitted = 0;          ///< monotonic, when it was due at the source, or else emitted; latency counts from here
  std::vector<std::pair<std::string, FieldValue>> fields;

  const FieldValue* find(std::string_view name) const;
  /// The field as T (std::int64_t, double, std::string, model::Tensor), or null when missing or of another type.
  template <class T>
  const T* get(std::string_view name) const {
    const FieldValue* field = find(name);
    return field == nullptr ? nullptr : std::get_if<T>(field);
  }
  void set(std::string_view name, FieldValue value);
};

}  // namespace moru::edge
