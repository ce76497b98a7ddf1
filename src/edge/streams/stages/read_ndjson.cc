// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/json.h"
#include "edge/streams/file_source.h"

namespace moru::edge {
namespace {

class ReadNdjson final : public FileSource {
 public:
  explicit ReadNdjson(FileSourceOptions file_options) : FileSource(std::move(file_options), ".ndjson") {}

 private:
  std::string_view parse(std::string_view line, Item& item) override {
    const auto record = parse_json(line, "line");
    if (!record || !record->is_object()) return "no JSON object";
    for (const auto& field : options().fields) {
      const auto value = record->find(field.name.text());
      if (value == record->end() || value->is_null()) continue;
      if (!set(item, field, *value)) return "wrong type";
    }
    if (options().time.empty()) return {};
    const auto value = record->find(options().time);
    if (value == record->end()) return "no time";
    const auto time = parse_time(value->is_string() ? value->get<std::string>() : value->dump(), options().time_unit);
    if (!time) return "no time";
    item.event_time = *time;
    return {};
  }

  static bool set(Item& item, const FieldSpec& field, const Json& value) {
    switch (field.type) {
      case FieldType::kText:
        if (!value.is_string()) return false;
        item.set(field.name, value.get_ref<const std::string&>());
        return true;
      case FieldType::kInt64:
        if (value.is_boolean()) {
          item.set(field.name, value.get<bool>() ? 1 : 0);
          return true;
        }
        if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX)) return false;
        item.set(field.name, value.get<std::int64_t>());
        return true;
      default:
        if (!value.is_number()) return false;
        item.set(field.name, value.get<double>());
        return true;
    }
  }
};

Result<std::unique_ptr<SourceStage>> create(const ConfigObject& object) {
  FileSourceReader file;
  ConfigReader reader(object);
  file.read(reader);
  MORU_RETURN_IF_ERROR(reader.finish());
  MORU_ASSIGN_OR_RETURN(auto options, file.finish(object));
  return std::make_unique<ReadNdjson>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_read_ndjson;
const StageSpec kStage_read_ndjson{
    .name = "read_ndjson",
    .kind = StageKind::kSource,
    .doc =
        R"yaml(Replays files with a JSON object a line, as write_json writes them, as fast as they are taken or at the pace of their times.

Writes  the fields of `fields`, from the keys of those names; a key that is missing or null leaves its field out

A line that is no record is dropped with its reason: "no JSON object", "wrong type", "no time", "line too long" (1 MiB). true and
false are int64 1 and 0.

Options
  path: FILE             or a folder: its files *.ndjson in the order of their names
  fields: {NAME: TYPE}   int64, double or text; after a number's type its unit: {temperature: double degC}
  time: KEY              the event time; without it the time at which the line is read
  time_unit: iso8601     2026-11-23T17:35:00.123Z; or s, ms, us, ns since 1970
  speed: 0               1: as fast as it was; 10: ten times; 0: as fast as they are taken
  items: 0               ends after so many; 0: all
)yaml",
    .example = R"yaml(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: again
spec:
  stages:
    - name: readings
      stage: read_ndjson
      options: {path: data/readings.ndjson, time: time, time_unit: ns, fields: {device: text, value: double degC}}
    - name: minute
      stage: window
      inputs: [readings]
      options: {size_ms: 60000, key: [device], set: {average: mean(value), n: count()}}
    - name: results
      stage: write_json
      inputs: [minute]
      options: {path: minutes.jsonl}
)yaml",
    .create_source = create,
};

}  // namespace moru::edge
