// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "edge/streams/file_source.h"

namespace moru::edge {
namespace {

constexpr std::size_t kNoColumn = SIZE_MAX;

class ReadCsv final : public FileSource {
 public:
  ReadCsv(FileSourceOptions file_options, char separator) : FileSource(std::move(file_options), ".csv"), separator_(separator) {}

 private:
  void begin_file() override { columns_.clear(); }

  /// The first line of a file names the columns; where each field stands is looked up once.
  Result<bool> is_head(std::string_view line) override {
    if (!columns_.empty()) return false;
    if (line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);  // what some programs put in front of UTF-8
    if (!split_line(line)) return fail(ErrorCode::kCorrupt, "found a head with a quote that does not end, expected names of columns");
    MORU_RETURN_IF_ERROR(options().time.empty() ? Status() : find_column(options().time, time_column_));
    for (const auto& field : options().fields) MORU_RETURN_IF_ERROR(find_column(field.name.text(), columns_.emplace_back()));
    return true;
  }

  Status find_column(const std::string& name, std::size_t& column) {
    const auto at = std::ranges::find(values_, name);
    column = static_cast<std::size_t>(at - values_.begin());
    if (at != values_.end()) return {};
    columns_.clear();
    return fail(ErrorCode::kCorrupt, fmt::format("found no column '{}'{}, expected one of {}", name, did_you_mean(name, values_),
                                                 in_quotes(fmt::format("{}", fmt::join(values_, ", ")))));
  }

  std::string_view parse(std::string_view line, Item& item) override {
    if (!split_line(line)) return "bad quotes";
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i] >= values_.size()) return "too few columns";
      if (!set(item, options().fields[i], values_[columns_[i]])) return "not a number";
    }
    if (options().time.empty()) return {};
    if (time_column_ >= values_.size()) return "too few columns";
    const auto time = parse_time(values_[time_column_], options().time_unit);
    if (!time) return "no time";
    item.event_time = *time;
    return {};
  }

  /// An empty value leaves the field out.
  static bool set(Item& item, const FieldSpec& field, const std::string& text) {
    if (text.empty()) return true;
    const char* const end = text.data() + text.size();
    if (field.type == FieldType::kText) {
      item.set(field.name, text);
      return true;
    }
    if (field.type == FieldType::kInt64) {
      std::int64_t value = 0;
      const auto read = std::from_chars(text.data(), end, value);
      item.set(field.name, value);
      return read.ec == std::errc() && read.ptr == end;
    }
    double value = 0.0;
    const auto read = std::from_chars(text.data(), end, value);
    item.set(field.name, value);
    return read.ec == std::errc() && read.ptr == end;
  }

  /// Into values_, as RFC 4180 has it within a line. False when a quote does not end.
  bool split_line(std::string_view line) {
    std::size_t count = 0;
    std::size_t at = 0;
    const auto next = [&]() -> std::string& {
      if (count == values_.size()) values_.emplace_back();
      values_[count].clear();
      return values_[count++];
    };
    while (true) {
      std::string& value = next();
      if (at < line.size() && line[at] == '"') {
        for (++at;; ++at) {
          if (at >= line.size()) return false;
          if (line[at] != '"') {
            value.push_back(line[at]);
          } else if (at + 1 < line.size() && line[at + 1] == '"') {
            value.push_back(line[at++]);
          } else {
            break;
          }
        }
        ++at;
      }
      const auto end = std::min(line.find(separator_, at), line.size());
      value.append(line.substr(at, end - at));
      if (end == line.size()) break;
      at = end + 1;
    }
    values_.resize(count);
    return true;
  }

  const char separator_;
  std::size_t time_column_ = kNoColumn;
  std::vector<std::size_t> columns_;  ///< of each field; empty: the head is not read yet
  std::vector<std::string> values_;   ///< of the line at hand
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
