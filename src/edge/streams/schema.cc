// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/text.h"

namespace moru::edge {

std::string to_string(const FieldSpec& field) {
  std::string text(to_string(field.type));
  if (field.dtype) text += fmt::format(" {}", model::to_string(*field.dtype));
  if (field.dims) text += fmt::format(" {}", model::to_string(*field.dims));
  if (!field.unit.empty()) text += fmt::format(" {}", field.unit);
  return text;
}

const FieldSpec* Schema::find(FieldName name) const {
  const auto it = std::ranges::find(fields, name, &FieldSpec::name);
  return it == fields.end() ? nullptr : &*it;
}

void Schema::set(FieldSpec field) {
  const auto it = std::ranges::find(fields, field.name, &FieldSpec::name);
  if (it == fields.end()) {
    fields.push_back(std::move(field));
  } else {
    *it = std::move(field);
  }
}

std::vector<std::string> Schema::names() const {
  std::vector<std::string> result;
  for (const auto& field : fields) {
    if (!field.name.is_note()) result.push_back(field.name.text());
  }
  return result;
}

Result<const FieldSpec*> Schema::need(std::string_view where, std::string_view name, std::optional<FieldType> type) const {
  const FieldSpec* const field = find(name);
  if (field == nullptr) {
    if (open) return nullptr;
    const auto known = names();
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found no field {} in the items{}, expected one of {}", where, in_quotes(name), did_you_mean(name, known),
                            known.empty() ? "none: they have no fields" : fmt::format("{}", fmt::join(known, ", "))));
  }
  if (type && field->type != *type) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found field '{}' of type {}, expected {}", where, name, to_string(*field), to_string(*type)));
  }
  return field;
}

Result<const FieldSpec*> Schema::need_number(std::string_view where, std::string_view name) const {
  MORU_ASSIGN_OR_RETURN(const FieldSpec* field, need(where, name));
  if (field != nullptr && field->type != FieldType::kInt64 && field->type != FieldType::kDouble) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found field '{}' of type {}, expected a number", where, name, to_string(*field)));
  }
  return field;
}

TimeNs period_of(double rate_hz) { return rate_hz > 0.0 ? static_cast<TimeNs>(static_cast<double>(kSecond) / rate_hz) : 0; }

std::string in_ms(TimeNs time) { return fmt::format("{:.9g} ms", static_cast<double>(time) / static_cast<double>(kMillisecond)); }

Status Schema::need_reach(std::string_view where, std::string_view option, TimeNs time, std::string_view otherwise,
                          std::int64_t steps) const {
  constexpr double kEndOfTime = 4e18;
  const auto needed = static_cast<TimeNs>(std::min(static_cast<double>(period) * static_cast<double>(steps), kEndOfTime));
  if (time >= needed) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} of {}, expected at least {}: the items of '{}' are {} apart, so {}",
                                                       where, option, in_ms(time), in_ms(needed), from, in_ms(period), otherwise));
}

Result<std::size_t> input_named(std::string_view where, std::string_view name, std::span<const Schema> inputs) {
  std::vector<std::string> names;
  for (const Schema& input : inputs) names.push_back(input.from);
  const auto found = std::ranges::find(names, name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found input {}{}, expected one of {}", where, in_quotes(name),
                                                       did_you_mean(name, names), fmt::join(names, ", ")));
}

Schema common(const std::vector<Schema>& schemas) {
  if (schemas.empty()) return {};
  Schema result = schemas.front();
  for (std::size_t i = 1; i < schemas.size(); ++i) {
    const Schema& other = schemas[i];
    const auto same = [&](const FieldSpec& field) {
      const FieldSpec* const found = other.find(field.name);
      return found != nullptr && found->type == field.type && found->unit == field.unit;
    };
    const bool all = std::ranges::all_of(result.fields, same) && result.fields.size() == other.fields.size();
    std::erase_if(result.fields, [&](const FieldSpec& field) { return !same(field); });
    result.open = result.open || other.open || !all;
    result.rate_hz = result.rate_hz > 0.0 && other.rate_hz > 0.0 ? result.rate_hz + other.rate_hz : 0.0;
    result.period = 0;  // an item of each may be of the same time
  }
  return result;
}

Result<std::vector<FieldSpec>> read_fields(const ConfigObject& object) {
  const auto keys = object.keys();
  if (keys.empty()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}, expected a map of fields: {{temperature: double degC, device: text}}",
                                                         object.where(), object.found()));
  }
  std::vector<FieldSpec> fields;
  for (const auto& key : keys) {
    const auto value = object.find(key);
    const std::string text = value->scalar();
    const auto space = text.find(' ');
    const std::string type = text.substr(0, space);
    FieldSpec field{.name = key};
    if (type == "int64") {
      field.type = FieldType::kInt64;
    } else if (type == "text") {
      field.type = FieldType::kText;
    } else if (type != "double") {
      const std::vector<std::string> known = {"int64", "double", "text"};
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found type {}{} of field '{}', expected int64, double or text",
                                                           value->where(), in_quotes(type), did_you_mean(type, known), key));
    }
    if (space != std::string::npos) field.unit = std::string(trim(std::string_view(text).substr(space)));
    if (key.empty() || field.name.is_note()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found field name '{}', expected one without a dot", value->where(), key));
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

}  // namespace moru::edge
