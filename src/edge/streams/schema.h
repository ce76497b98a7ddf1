// SPDX-License-Identifier: Apache-2.0
// What is known of a link's items before anything runs: fields with types, units and shapes, and how many come a second.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/result.h"
#include "edge/streams/item.h"

namespace moru::edge {

struct FieldSpec {
  FieldName name;
  FieldType type = FieldType::kDouble;
  std::string unit = {};                                         ///< "degC", "m/s"; empty: none, or not known
  std::optional<model::DType> dtype = std::nullopt;              ///< of a tensor, where it is known
  std::optional<std::vector<std::int64_t>> dims = std::nullopt;  ///< of a tensor, where its rank is known; -1: an extent that is not
};

/// "double degC", "tensor uint8 [-1, 28]"
std::string to_string(const FieldSpec& field);

struct Schema {
  std::vector<FieldSpec> fields;
  bool open = false;      ///< there may be more fields, of any type
  double rate_hz = 0.0;   ///< items a second of the clock at most; 0: not known
  TimeNs period = 0;      ///< event time from one item to the next at least; 0: not known
  std::string from = {};  ///< of an input: what it is called in the file, "NAME" or "NAME.PORT"

  const FieldSpec* find(FieldName name) const;
  /// Puts a field in, or in the place of the one of that name.
  void set(FieldSpec field);
  std::vector<std::string> names() const;

  /// The field `name`; an error names the nearest one, or says that it has another type. Null where the schema is open and does
  /// not have it. `where` is the option that asks ("line.yaml:7").
  Result<const FieldSpec*> need(std::string_view where, std::string_view name, std::optional<FieldType> type = std::nullopt) const;
  /// The same for a number, whole or not.
  Result<const FieldSpec*> need_number(std::string_view where, std::string_view name) const;
  /// That the option's time (event time) reaches from one item to the `steps`-th after it, where it is known how far apart they are;
  /// `otherwise` says what would come of it.
  Status need_reach(std::string_view where, std::string_view option, TimeNs time, std::string_view otherwise, std::int64_t steps = 1) const;
};

/// From one to the next of so many a second; 0 of 0.
TimeNs period_of(double rate_hz);
/// "2.5 ms"
std::string in_ms(TimeNs time);

/// What is the same in all of them: a field that two know differently is left out, and makes it open.
Schema common(const std::vector<Schema>& schemas);

/// Which of a stage's inputs has that name; an error names the nearest one.
Result<std::size_t> input_named(std::string_view where, std::string_view name, std::span<const Schema> inputs);

/// Reads `fields: {temperature: double degC, device: text, n: int64}`: a type and, of numbers, a unit.
Result<std::vector<FieldSpec>> read_fields(const ConfigObject& object);

}  // namespace moru::edge
