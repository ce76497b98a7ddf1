// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/file_source.h"

namespace moru::edge {
namespace {

class ReadNdjson final : public FileSource {
 public:
  explicit ReadNdjson(FileSourceOptions file_options) : FileSource(std::move(file_options), ".ndjson") {}

 private:
  std::string_view parse(std::string_view line, Item& item) override { return read_json_record(options(), line, item); }
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
