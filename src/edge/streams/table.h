// SPDX-License-Identifier: Apache-2.0
// A table of a database that a sink writes items to.
#pragma once

#include <string>
#include <vector>

#include "core/config.h"
#include "edge/streams/columns.h"

namespace moru::edge {

/// What the sinks of databases have in common. An item's row begins with four columns of our own: node and stream (text), seq and time.
/// They are the table's key, so that an item that comes twice is one row. The time is part of it because sequence numbers begin at 1 again
/// when a stream is started again.
struct TableOptions {
  std::string table;
  std::vector<std::string> fields;
  std::string node;  ///< the machine's name
  bool create = true;
  std::string where;
};

/// The machine's name: what rows and messages say of their node where the file does not say it.
std::string host_name();

/// Reads the options that all of them have; the reader is finished by the caller.
struct TableReader {
  TableOptions options;
  void read(ConfigReader& reader);
  /// Errors: a name that no table can have.
  Result<TableOptions> finish(const ConfigObject& object);
};

/// The words of a database for what its columns hold.
struct TableTypes {
  std::string_view integer;
  std::string_view number;
  std::string_view text;
};

class Table {
 public:
  Table() = default;
  /// Errors: those of table_columns; a field whose name is a column of ours, or differs from another's by its case only.
  static Result<Table> make(const TableOptions& options, const Schema& schema, const TableTypes& types);
  /// CREATE TABLE IF NOT EXISTS, with names in quotes.
  std::string create() const;
  /// ALTER TABLE ... ADD COLUMN, of field `index`; `if_missing` where the database knows IF NOT EXISTS.
  std::string add_column(std::size_t index, bool if_missing) const;
  /// INSERT of a row whose values are `placeholders` ("?, ?, ..."), which does nothing where the row is there.
  std::string insert(const std::vector<std::string>& placeholders) const;
  const std::string& name() const { return name_; }
  const std::vector<FieldSpec>& fields() const { return fields_; }
  std::size_t columns() const { return kOwn + fields_.size(); }

 private:
  static constexpr std::size_t kOwn = 4;
  std::string_view type_of(const FieldSpec& field) const;
  std::string name_;
  std::vector<FieldSpec> fields_;
  TableTypes types_;
};

}  // namespace moru::edge
