// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/text.h"
#include "sqlite/sqlite.h"

namespace moru::edge {
namespace {

constexpr std::size_t kLongestName = 63;  // PostgreSQL cuts a longer one off without a word
constexpr std::array<std::string_view, 4> kOwnColumns = {"node", "stream", "seq", "time"};

Status check_name(std::string_view name, std::string_view where) {
  if (!name.empty() && name.size() <= kLongestName && !name.contains('\0')) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found the name {} of {} bytes, expected one of 1 to {} bytes without a zero",
                                                       where, in_quotes(name), name.size(), kLongestName));
}

std::string lower(std::string_view name) {
  std::string result(name);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

void TableReader::read(ConfigReader& reader) {
  reader.required("table", &options.table);
  reader.optional("fields", &options.fields);
  reader.optional("node", &options.node);
  reader.optional("create", &options.create);
}

Result<TableOptions> TableReader::finish(const ConfigObject& object) {
  options.where = object.where();
  if (options.node.empty()) options.node = host_name();
  MORU_RETURN_IF_ERROR(check_name(options.table, options.where));
  return std::move(options);
}

Result<Table> Table::make(const TableOptions& options, const Schema& schema, const TableTypes& types) {
  Table table;
  table.name_ = options.table;
  table.types_ = types;
  MORU_ASSIGN_OR_RETURN(table.fields_, table_columns(schema, options.fields, true, options.where));
  std::vector<std::string> taken(kOwnColumns.begin(), kOwnColumns.end());
  for (const auto& field : table.fields_) {
    MORU_RETURN_IF_ERROR(check_name(field.name.text(), options.where));
    if (std::ranges::find(taken, lower(field.name.text())) != taken.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found field {}, expected a name that is not that of another column ({}); give it "
                              "another one in a stage 'map', or leave it out with 'fields'",
                              options.where, in_quotes(field.name.text()), fmt::join(taken, ", ")));
    }
    taken.push_back(lower(field.name.text()));
  }
  return table;
}

std::string_view Table::type_of(const FieldSpec& field) const {
  switch (field.type) {
    case FieldType::kInt64: return types_.integer;
    case FieldType::kDouble: return types_.number;
    default: return types_.text;
  }
}

std::string Table::create() const {
  std::string columns =
      fmt::format("node {0} NOT NULL, stream {0} NOT NULL, seq {1} NOT NULL, time {1} NOT NULL", types_.text, types_.integer);
  for (const auto& field : fields_) columns += fmt::format(", {} {}", sql_name(field.name.text()), type_of(field));
  return fmt::format("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY (node, stream, seq, time))", sql_name(name_), columns);
}

std::string Table::add_column(std::size_t index, bool if_missing) const {
  return fmt::format("ALTER TABLE {} ADD COLUMN {}{} {}", sql_name(name_), if_missing ? "IF NOT EXISTS " : "",
                     sql_name(fields_[index].name.text()), type_of(fields_[index]));
}

std::string Table::insert(const std::vector<std::string>& placeholders) const {
  std::vector<std::string> names(kOwnColumns.begin(), kOwnColumns.end());
  for (const auto& field : fields_) names.push_back(sql_name(field.name.text()));
  return fmt::format("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING", sql_name(name_), fmt::join(names, ", "),
                     fmt::join(placeholders, ", "));
}

}  // namespace moru::edge
