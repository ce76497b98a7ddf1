// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/columns.h"

#include <fmt/format.h>

#include <algorithm>

namespace moru::edge {
namespace {

Result<FieldSpec> column(const Schema& schema, const std::string& name, bool typed, std::string_view where) {
  MORU_ASSIGN_OR_RETURN(const FieldSpec* field, schema.need(where, name));
  if (field != nullptr && field->type == FieldType::kTensor)
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found field '{}', a tensor, expected numbers and texts", where, name));
  if (field != nullptr) return *field;
  if (typed) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found field '{}' without a type, expected one that the stage before declares; "
                            "declare it there, or compute it in a stage 'map'",
                            where, name));
  }
  return FieldSpec{.name = name};
}

}  // namespace

Result<std::vector<FieldSpec>> table_columns(const Schema& schema, const std::vector<std::string>& names, bool typed,
                                             std::string_view where) {
  std::vector<FieldSpec> columns;
  for (const auto& name : names) {
    MORU_ASSIGN_OR_RETURN(auto field, column(schema, name, typed, where));
    if (std::ranges::find(columns, field.name, &FieldSpec::name) != columns.end())
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found field '{}' twice, expected it once", where, name));
    columns.push_back(std::move(field));
  }
  if (names.empty() && schema.open)
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found items of which not all fields are known, expected 'fields'", where));
  for (const auto& field : schema.fields) {
    if (names.empty() && field.type != FieldType::kTensor && !field.name.is_note()) columns.push_back(field);
  }
  if (columns.empty())
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found no number or text in the items, expected one at least", where));
  return columns;
}

}  // namespace moru::edge
