// SPDX-License-Identifier: Apache-2.0
#include "sqlite/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <map>
#include <utility>

namespace moru {
namespace {

ErrorCode code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ErrorCode::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ErrorCode::kUnavailable;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY: return ErrorCode::kIo;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG: return ErrorCode::kInvalidArgument;
    default: return ErrorCode::kInternal;
  }
}

}  // namespace

std::string sql_name(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted.push_back('"');
    quoted.push_back(c);
  }
  return quoted + "\"";
}

struct Database::Impl {
  Path file;
  sqlite3* connection = nullptr;
  std::map<std::string, sqlite3_stmt*, std::less<>> statements;

  ~Impl() {
    for (auto& [sql, statement] : statements) sqlite3_finalize(statement);
    sqlite3_close(connection);
  }
  std::unexpected<Error> failure(int result) const {
    const char* hint = (result & 0xff) == SQLITE_FULL ? "; free some space on the disk" : "";
    return fail(code_of(result), fmt::format("database '{}': {}{}", file.string(), sqlite3_errmsg(connection), hint));
  }
  Result<sqlite3_stmt*> prepare(std::string_view sql, std::span<const SqlValue> values);
};

Result<sqlite3_stmt*> Database::Impl::prepare(std::string_view sql, std::span<const SqlValue> values) {
  auto it = statements.find(sql);
  if (it == statements.end()) {
    sqlite3_stmt* made = nullptr;
    const int result = sqlite3_prepare_v3(connection, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    if (result != SQLITE_OK) return failure(result);
    it = statements.emplace(std::string(sql), made).first;
  }
  int index = 0;
  for (const SqlValue& value : values) {
    ++index;
    int result = SQLITE_OK;
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      result = sqlite3_bind_int64(it->second, index, *integer);
    } else if (const auto* number = std::get_if<double>(&value)) {
      result = sqlite3_bind_double(it->second, index, *number);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      result = sqlite3_bind_text64(it->second, index, text->data(), text->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    } else {
      result = sqlite3_bind_null(it->second, index);
    }
    if (result != SQLITE_OK) return failure(result);
  }
  return it->second;
}

std::int64_t SqlRow::integer(int column) const { return sqlite3_column_int64(static_cast<sqlite3_stmt*>(statement_), column); }

std::string SqlRow::text(int column) const {
  auto* statement = static_cast<sqlite3_stmt*>(statement_);
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
}

bool SqlRow::is_null(int column) const { return sqlite3_column_type(static_cast<sqlite3_stmt*>(statement_), column) == SQLITE_NULL; }

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Result<Database> Database::open(const Path& file, bool read_only) {
  auto impl = std::make_unique<Impl>();
  impl->file = file;
  const int result =
      sqlite3_open_v2(file.c_str(), &impl->connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (result != SQLITE_OK) return impl->failure(result);
  sqlite3_extended_result_codes(impl->connection, 1);
  sqlite3_busy_timeout(impl->connection, 5000);
  Database database(std::move(impl));
  MORU_RETURN_IF_ERROR(
      database.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF"));
  if (read_only) MORU_RETURN_IF_ERROR(database.execute("PRAGMA query_only=ON"));
  return database;
}

Status Database::execute(const std::string& sql) {
  const int result = sqlite3_exec(impl_->connection, sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return impl_->failure(result);
  return {};
}

Result<std::int64_t> Database::run(std::string_view sql, std::span<const SqlValue> values) {
  MORU_ASSIGN_OR_RETURN(sqlite3_stmt * statement, impl_->prepare(sql, values));
  int result = SQLITE_ROW;
  while (result == SQLITE_ROW) result = sqlite3_step(statement);
  std::unexpected<Error> error = impl_->failure(result);
  sqlite3_reset(statement);
  if (result != SQLITE_DONE) return error;
  return std::int64_t{sqlite3_changes64(impl_->connection)};
}

Status Database::each(std::string_view sql, SqlValues values, const std::function<void(const SqlRow&)>& row) {
  MORU_ASSIGN_OR_RETURN(sqlite3_stmt * statement, impl_->prepare(sql, std::span(values)));
  int result = sqlite3_step(statement);
  for (; result == SQLITE_ROW; result = sqlite3_step(statement)) row(SqlRow(statement));
  std::unexpected<Error> error = impl_->failure(result);
  sqlite3_reset(statement);
  if (result != SQLITE_DONE) return error;
  return {};
}

std::int64_t Database::last_row_id() const { return sqlite3_last_insert_rowid(impl_->connection); }

}  // namespace moru
