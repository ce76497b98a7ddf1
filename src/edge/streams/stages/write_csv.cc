// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>
#include <iterator>

#include "core/text.h"
#include "edge/streams/columns.h"
#include "edge/streams/file_sink.h"

namespace moru::edge {
namespace {

class WriteCsv final : public FileSink {
 public:
  WriteCsv(FileSinkOptions file_options, char separator) : FileSink(std::move(file_options)), separator_(separator) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_ASSIGN_OR_RETURN(const auto columns, table_columns(inputs[0], options().fields, false, options().where));
    head_ = fmt::format("seq{}time", separator_);
    for (const auto& column : columns) {
      finders_.emplace_back(column.name);
      head_.push_back(separator_);
      add_text(column.name.text(), head_);
    }
    return std::vector<Schema>{};
  }

 private:
  std::string head() const override { return head_; }

  void add_line(const Item& item, TimeNs, std::string& lines) override {
    fmt::format_to(std::back_inserter(lines), "{}{}{}", item.sequence, separator_, item.event_time);
    for (const auto& finder : finders_) {
      lines.push_back(separator_);
      if (const Field* field = finder.in(item)) add(*field, lines);
    }
    lines.push_back('\n');
  }

  /// A number in its shortest form that reads back as the same one.
  void add(const Field& field, std::string& lines) const {
    if (const auto* integer = field.integer()) fmt::format_to(std::back_inserter(lines), "{}", *integer);
    if (const auto* number = field.number()) fmt::format_to(std::back_inserter(lines), "{}", *number);
    if (const auto text = field.text()) add_text(*text, lines);
  }

  /// As RFC 4180 has it; a text's own line ends become spaces, so that a line is an item for whoever reads the file.
  void add_text(std::string_view text, std::string& lines) const {
    const char special[] = {'"', '\n', '\r', separator_};
    if (text.find_first_of(std::string_view(special, sizeof special)) == std::string_view::npos) {
      lines += text;
      return;
    }
    lines.push_back('"');
    for (const char c : text) {
      if (c == '"') lines.push_back('"');
      lines.push_back(c == '\n' || c == '\r' ? ' ' : c);
    }
    lines.push_back('"');
  }

  std::optional<TimeNs> time_of(std::string_view line) const override {
    const auto values = split(line, separator_);
    if (values.size() < 2) return std::nullopt;
    TimeNs time = 0;
    const char* const begin = values[1].data();
    const char* const end = begin + values[1].size();
    const auto read = std::from_chars(begin, end, time);
    return read.ec == std::errc() && read.ptr == end ? std::optional(time) : std::nullopt;
  }

  const char separator_;
  std::string head_;
  std::vector<FieldFinder> finders_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  FileSinkReader file;
  std::string separator = ",";
  ConfigReader reader(object);
  file.read(reader);
  reader.optional("separator", &separator);
  MORU_RETURN_IF_ERROR(reader.finish());
  // What stands in a number would tear it apart.
  if (separator.size() != 1 || std::string_view("\"\n\r+-.0123456789einfa").contains(separator[0]))
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found separator {}, expected one character that is in no number", object.where(), in_quotes(separator)));
  return std::make_unique<WriteCsv>(file.finish(object), separator[0]);
}

}  // namespace

extern const StageSpec kStage_write_csv;
const StageSpec kStage_write_csv{
    .name = "write_csv",
    .kind = StageKind::kSink,
    .doc =
        R"yaml(Writes each item to a file, one line of values separated by commas: seq, time (ns since 1970), fields. The first line of each file
names them; read_csv reads it.

Reads   the numbers and texts of `fields`; without it all that the stage before declares, but notes (names with a dot)

A value that an item does not have is left empty. Line ends in a text become spaces. A file whose first line names other columns is put
away, and a new one begun.
The file grows at its end. What a cut of the power left of a line is cut off when it is opened. When the disk is full the items wait in
front of the sink, and are written when there is room. With max_mb or max_age_s the file is put away by one rename, under the next
number: x.000001.csv, x.000002.csv, ... beside x.csv.

Options
  path: FILE
  append: true           false: what is there is overwritten at the start
  sync: file             fsync when a file is done; group: before an item is; never
  max_mb: 0              a file is done when the next line would make it larger; 0: no limit
  max_age_s: 0           86400: a file a day, in UTC; 0: no limit
  age: wall              or event: by the items' own times
  keep: 0                so many files that are done; older ones are deleted; 0: all
  fields: [NAME, ...]    all
  separator: ","
)yaml",
    .example = R"yaml(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: a-file-a-day
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {keys: 3, items: 300, unit: degC}
    - name: table
      stage: write_csv
      inputs: [sensors]
      options: {path: sensors.csv, max_age_s: 86400, keep: 30}
)yaml",
    .create = create,
    .holds = true,
};

}  // namespace moru::edge
