// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <optional>

#include "core/text.h"
#include "edge/streams/group_sink.h"
#include "edge/streams/postgres.h"
#include "edge/streams/secret.h"
#include "edge/streams/table.h"

namespace moru::edge {
namespace {

constexpr TableTypes kTypes = {.integer = "bigint", .number = "double precision", .text = "text"};

class WritePostgres final : public GroupSink {
 public:
  WritePostgres(TableOptions table, PostgresOptions server, Secret secret)
      : options_(std::move(table)), server_(std::move(server)), secret_(std::move(secret)) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_ASSIGN_OR_RETURN(table_, Table::make(options_, inputs[0], kTypes));
    for (const auto& field : table_.fields()) finders_.emplace_back(field.name);
    return std::vector<Schema>{};
  }

  /// The server may come later than the stream: store() connects.
  Status open(const StageContext& context) override {
    stream_ = context.stream;
    return {};
  }

  Status close() override {
    connection_.reset();
    return {};
  }

 private:
  Status connect() {
    PostgresOptions server = server_;
    MORU_ASSIGN_OR_RETURN(server.password, secret_.get());
    MORU_ASSIGN_OR_RETURN(auto connection, Postgres::connect(server));
    if (options_.create) MORU_RETURN_IF_ERROR(connection.execute(table_.create()));
    for (std::size_t i = 0; options_.create && i < table_.fields().size(); ++i)
      MORU_RETURN_IF_ERROR(connection.execute(table_.add_column(i, true)));
    std::vector<std::string> values;
    for (std::size_t i = 1; i <= table_.columns(); ++i) values.push_back(fmt::format("${}", i));
    MORU_RETURN_IF_ERROR(connection.prepare(table_.insert(values)));
    connection_.emplace(std::move(connection));
    return {};
  }

  Result<Stored> store(std::span<const Item> items) override {
    if (!connection_) {
      // What is wrong with the table is no fault of the items.
      if (auto status = connect(); !status) return fail(Error{ErrorCode::kUnavailable, std::move(status).error().message});
    }
    values_.clear();
    for (const Item& item : items) {
      values_.emplace_back(as_utf8(options_.node));
      values_.emplace_back(as_utf8(stream_));
      values_.emplace_back(std::to_string(static_cast<std::int64_t>(item.sequence)));
      values_.emplace_back(std::to_string(item.event_time));
      for (const auto& finder : finders_) values_.push_back(text_of(finder.in(item)));
    }
    MORU_ASSIGN_OR_RETURN(const std::size_t rows, connection_->insert(table_.columns(), values_));
    return Stored{.items = items.size(), .repeated = items.size() - rows};
  }

  static std::optional<std::string> text_of(const Field* field) {
    if (field == nullptr) return std::nullopt;
    if (const auto* integer = field->integer()) return std::to_string(*integer);
    if (const auto* number = field->number()) return fmt::format("{}", *number);
    if (const auto text = field->text()) return as_utf8(*text);
    return std::nullopt;
  }

  const TableOptions options_;
  const PostgresOptions server_;
  const Secret secret_;
  Table table_;
  std::vector<FieldFinder> finders_;
  std::string stream_;
  std::vector<std::optional<std::string>> values_;
  std::optional<Postgres> connection_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  TableReader table;
  PostgresOptions server;
  Secret secret;
  double timeout_s = 10.0;
  ConfigReader reader(object);
  reader.required("host", &server.host);
  reader.optional("port", &server.port, {.min = 1, .max = 65535});
  reader.required("database", &server.database);
  reader.required("user", &server.user);
  secret.read(reader);
  reader.choice("tls", &server.tls, {"disable", "prefer", "require", "verify-ca", "verify-full"});
  reader.optional("ca_file", &server.ca_file);
  table.read(reader);
  reader.optional("timeout_s", &timeout_s, {.min = 0.1, .max = 600.0});
  MORU_RETURN_IF_ERROR(reader.finish());
  MORU_RETURN_IF_ERROR(secret.check(object));
  server.timeout = static_cast<TimeNs>(timeout_s * static_cast<double>(kSecond));
  MORU_ASSIGN_OR_RETURN(auto options, table.finish(object));
  return std::make_unique<WritePostgres>(std::move(options), std::move(server), std::move(secret));
}

}  // namespace

extern const StageSpec kStage_write_postgres;
const StageSpec kStage_write_postgres{
    .name = "write_postgres",
    .kind = StageKind::kSink,
    .doc = R"(Writes each item to a row of a table in PostgreSQL: node, stream, seq, time (ns since 1970), fields.

Reads   the numbers and texts of `fields`; without it all that the stage before declares, but notes (names with a dot)

The table is made where it is missing, and gets the columns that it lacks. Its key is (node, stream, seq, time): an item that comes again
is dropped("already stored"), one that breaks another constraint of the table dropped("refused"). What waits is written in one transaction
of at most 256 items. While the server is not there the items wait in front of the sink. Bytes of a text that are no UTF-8 become U+FFFD.
libpq is loaded when the first item comes.

Options
  host: NAME             or the folder of the server's socket
  port: 5432
  database: NAME
  user: NAME
  password_file: FILE    or password_variable: NAME, of the environment
  tls: prefer            or disable, require, verify-ca, verify-full
  ca_file: FILE          for verify-ca and verify-full
  table: NAME
  fields: [NAME, ...]    all
  node: NAME             the machine's name
  create: true           false: the table is there, and nobody changes it
  timeout_s: 10          without an answer for so long the connection is made anew
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
      stage: write_postgres
      inputs: [sensors]
      options: {host: db.example, database: plant, user: line-1, password_file: /etc/moru/db, tls: verify-full, table: readings}
)",
    .create = create,
    .holds = true,
    .needs = "a PostgreSQL server",
};

}  // namespace moru::edge
