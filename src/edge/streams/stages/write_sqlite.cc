// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include "edge/streams/group_sink.h"
#include "edge/streams/table.h"
#include "sqlite/sqlite.h"

namespace moru::edge {
namespace {

constexpr TableTypes kTypes = {.integer = "INTEGER", .number = "REAL", .text = "TEXT"};

class WriteSqlite final : public GroupSink {
 public:
  WriteSqlite(TableOptions options, Path path, bool sync) : options_(std::move(options)), path_(std::move(path)), sync_(sync) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_ASSIGN_OR_RETURN(table_, Table::make(options_, inputs[0], kTypes));
    insert_ = table_.insert(std::vector<std::string>(table_.columns(), "?"));
    for (const auto& field : table_.fields()) finders_.emplace_back(field.name);
    return std::vector<Schema>{};
  }

  Status open(const StageContext& context) override {
    row_.resize(table_.columns());
    row_[0] = options_.node;
    row_[1] = context.stream;
    MORU_ASSIGN_OR_RETURN(database_, Database::open(path_, false));
    if (!sync_) MORU_RETURN_IF_ERROR(database_->execute("PRAGMA synchronous=NORMAL"));
    if (!options_.create) return {};
    MORU_RETURN_IF_ERROR(database_->execute(table_.create()));
    return add_missing_columns();
  }

  Status close() override {
    database_.reset();
    return {};
  }

 private:
  /// A stream that has learned a new field goes on in its old table.
  Status add_missing_columns() {
    std::vector<bool> there(table_.fields().size(), false);
    MORU_RETURN_IF_ERROR(database_->each("SELECT name FROM pragma_table_info(?)", {table_.name()}, [&](const SqlRow& row) {
      const auto at = std::ranges::find(table_.fields(), row.text(0), [](const FieldSpec& field) { return field.name.text(); });
      if (at != table_.fields().end()) there[static_cast<std::size_t>(at - table_.fields().begin())] = true;
    }));
    for (std::size_t i = 0; i < there.size(); ++i) {
      if (!there[i]) MORU_RETURN_IF_ERROR(database_->execute(table_.add_column(i, false)));
    }
    return {};
  }

  Result<Stored> store(std::span<const Item> items) override {
    MORU_RETURN_IF_ERROR(database_->execute("BEGIN IMMEDIATE"));
    auto stored = insert(items);
    if (stored) {
      if (const auto status = database_->execute("COMMIT"); !status) stored = fail(status.error());
    }
    // Where SQLite has rolled back by itself there is nothing left to roll back: no news.
    if (!stored) static_cast<void>(database_->execute("ROLLBACK"));
    return stored;
  }

  Result<Stored> insert(std::span<const Item> items) {
    Stored stored;
    for (const Item& item : items) {
      row_[2] = static_cast<std::int64_t>(item.sequence);
      row_[3] = item.event_time;
      for (std::size_t i = 0; i < finders_.size(); ++i) set(row_[4 + i], finders_[i].in(item));
      MORU_ASSIGN_OR_RETURN(const auto rows, database_->run(insert_, row_));
      ++stored.items;
      if (rows == 0) ++stored.repeated;
    }
    return stored;
  }

  static void set(SqlValue& value, const Field* field) {
    value = std::monostate();
    if (field == nullptr) return;
    if (const auto* integer = field->integer()) value = *integer;
    if (const auto* number = field->number()) value = *number;
    if (const auto text = field->text()) value = std::string(*text);
  }

  const TableOptions options_;
  const Path path_;
  const bool sync_;
  Table table_;
  std::string insert_;
  std::vector<FieldFinder> finders_;
  std::vector<SqlValue> row_;
  std::optional<Database> database_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  TableReader table;
  std::string path;
  bool sync = true;
  ConfigReader reader(object);
  reader.required("path", &path);
  table.read(reader);
  reader.optional("sync", &sync);
  MORU_RETURN_IF_ERROR(reader.finish());
  MORU_ASSIGN_OR_RETURN(auto options, table.finish(object));
  return std::make_unique<WriteSqlite>(std::move(options), path, sync);
}

}  // namespace

extern const StageSpec kStage_write_sqlite;
const StageSpec kStage_write_sqlite{
    .name = "write_sqlite",
    .kind = StageKind::kSink,
    .doc = R"(Writes each item to a row of a table in an SQLite file: node, stream, seq, time (ns since 1970), fields.

Reads   the numbers and texts of `fields`; without it all that the stage before declares, but notes (names with a dot)

The table is made where it is missing, and gets the columns that it lacks. Its key is (node, stream, seq, time): an item that comes again
is dropped("already stored"), one that breaks another constraint of the table dropped("refused"). What waits is written in one transaction
of at most 256 items. When the disk is full or the file is locked the items wait in front of the sink, and are written when it is not.

Options
  path: FILE             made where it is missing
  table: NAME
  fields: [NAME, ...]    all
  node: NAME             the machine's name
  create: true           false: the table is there, and nobody changes it
  sync: true             false: quicker, and a cut of the power may take the last transactions with it
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: history
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {keys: 3, items: 300, unit: degC}
    - name: table
      stage: write_sqlite
      inputs: [sensors]
      options: {path: history.db, table: readings}
)",
    .create = create,
    .holds = true,
};

}  // namespace moru::edge
