// SPDX-License-Identifier: Apache-2.0
// SQLite without its types and with errors as values. The one file that knows sqlite3 is sqlite.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "core/files.h"
#include "core/result.h"

namespace moru {

/// A value that is bound to a statement; monostate is NULL.
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string>;
using SqlValues = std::initializer_list<SqlValue>;

/// One row of an answer, valid during the callback only.
class SqlRow {
 public:
  explicit SqlRow(void* statement) : statement_(statement) {}
  std::int64_t integer(int column) const;
  std::string text(int column) const;
  bool is_null(int column) const;

 private:
  void* statement_;
};

/// A name as it stands in a statement, whatever is in it: "a ""b""".
std::string sql_name(std::string_view name);

/// One connection. Statements are prepared once and kept. Threads: one at a time.
/// Errors of all functions: kInvalidArgument (a constraint, a value too large), kIo (no space, no permission), kUnavailable (locked by
/// another), kCorrupt, kInternal (a wrong statement).
class Database {
 public:
  /// Opens or makes the file with WAL, synchronous=FULL and foreign keys. `read_only`: the connection refuses writes.
  static Result<Database> open(const Path& file, bool read_only);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  /// Statements without values or answer; several may be separated by ';'.
  Status execute(const std::string& sql);
  /// One statement without answer; returns how many rows it changed.
  Result<std::int64_t> run(std::string_view sql, SqlValues values) { return run(sql, std::span(values)); }
  Result<std::int64_t> run(std::string_view sql, std::span<const SqlValue> values);
  /// One query; `row` is called for each row.
  Status each(std::string_view sql, SqlValues values, const std::function<void(const SqlRow&)>& row);
  std::int64_t last_row_id() const;

 private:
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace moru
