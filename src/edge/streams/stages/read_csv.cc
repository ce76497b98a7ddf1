// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/text.h"
#include "edge/streams/file_source.h"

namespace moru::edge {
namespace {

class ReadCsv final : public FileSource {
 public:
  ReadCsv(FileSourceOptions file_options, char separator) : FileSource(std::move(file_options), ".csv"), records_(options(), separator) {}

 private:
  void begin_file() override { records_.forget_columns(); }

  /// The first line of a file names the columns; where each field stands is looked up once.
  Result<bool> is_head(std::string_view line) override {
    if (records_.has_columns()) return false;
    MORU_RETURN_IF_ERROR(records_.set_head(line));
    return true;
  }
  std::string_view parse(std::string_view line, Item& item) override { return records_.read(line, item); }

  CsvRecords records_;
};

Result<std::unique_ptr<SourceStage>> create(const ConfigObject& object) {
  FileSourceReader file;
  std::string separator = ",";
  ConfigReader reader(object);
  file.read(reader);
  reader.optional("separator", &separator);
  MORU_RETURN_IF_ERROR(reader.finish());
  if (separator.size() != 1 || separator == "\"" || separator == "\n")
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found separator {}, expected one character", object.where(), in_quotes(separator)));
  MORU_ASSIGN_OR_RETURN(auto options, file.finish(object));
  return std::make_unique<ReadCsv>(std::move(options), separator[0]);
}

}  // namespace

extern const StageSpec kStage_read_csv;
const StageSpec kStage_read_csv{
    .name = "read_csv",
    .kind = StageKind::kSource,
    .doc = R"yaml(Replays the lines of CSV files, as fast as they are taken or at the pace of their times.

Writes  the fields of `fields`, from the columns of those names; an empty value leaves its field out

The first line of each file names the columns. A line that is no record is dropped with its reason: "not a number", "no time",
"too few columns", "bad quotes" (a quoted value ends on its line), "line too long" (1 MiB).

Options
  path: FILE             or a folder: its files *.csv in the order of their names
  fields: {NAME: TYPE}   int64, double or text; after a number's type its unit: {temperature: double degC}
  time: COLUMN           the event time; without it the time at which the line is read
  time_unit: iso8601     2026-11-23T17:35:00.123Z; or s, ms, us, ns since 1970
  speed: 0               1: as fast as it was; 10: ten times; 0: as fast as they are taken
  items: 0               ends after so many; 0: all
  separator: ","
)yaml",
    .example = R"yaml(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: from-csv-to-an-alert
spec:
  stages:
    - name: readings
      stage: read_csv
      options: {path: data/readings.csv, time: at, fields: {device: text, temperature: double degC}}
    - name: hot
      stage: threshold
      inputs: [readings]
      options: {field: temperature, on: 80, off: 70, key: [device], only_changes: true}
    - name: alerts
      stage: write_json
      inputs: [hot]
      options: {path: alerts.jsonl}
)yaml",
    .create_source = create,
};

}  // namespace moru::edge
