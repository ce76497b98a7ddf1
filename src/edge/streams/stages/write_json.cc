// SPDX-License-Identifier: Apache-2.0
#include "core/json.h"
#include "edge/streams/file_sink.h"
#include "edge/streams/item_json.h"

namespace moru::edge {
namespace {

class WriteJson final : public FileSink {
 public:
  using FileSink::FileSink;

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    for (const auto& field : options().fields) MORU_RETURN_IF_ERROR(inputs[0].need(options().where, field));
    return std::vector<Schema>{};
  }

 private:
  void add_line(const Item& item, TimeNs now, std::string& lines) override {
    lines += item_json(item, options().fields, now).dump(-1, ' ', false, Json::error_handler_t::replace);
    lines += '\n';
  }

  std::optional<TimeNs> time_of(std::string_view line) const override {
    const auto record = parse_json(line, "line");
    if (!record || !record->is_object()) return std::nullopt;
    const auto time = record->find("time");
    return time != record->end() && time->is_number_integer() ? std::optional(time->get<TimeNs>()) : std::nullopt;
  }
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  FileSinkReader file;
  ConfigReader reader(object);
  file.read(reader);
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<WriteJson>(file.finish(object));
}

}  // namespace

extern const StageSpec kStage_write_json;
const StageSpec kStage_write_json{
    .name = "write_json",
    .kind = StageKind::kSink,
    .doc = R"(Writes each item to a file, one JSON object a line: {"seq", "time" (ns since 1970), fields, "latency_us"}.

Reads   every number and text field but notes (names with a dot), or those of `fields`; tensors are left out

The file grows at its end. What a cut of the power left of a line is cut off when it is opened. When the disk is full the items wait in
front of the sink, and are written when there is room. With max_mb or max_age_s the file is put away by one rename, under the next
number: x.000001.jsonl, x.000002.jsonl, ... beside x.jsonl.

Options
  path: FILE
  append: true           false: what is there is overwritten at the start
  sync: file             fsync when a file is done; group: before an item is; never
  max_mb: 0              a file is done when the next line would make it larger; 0: no limit
  max_age_s: 0           86400: a file a day, in UTC; 0: no limit
  age: wall              or event: by the items' own times
  keep: 0                so many files that are done; older ones are deleted; 0: all
  fields: [NAME, ...]    all
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: orders
spec:
  stages:
    - name: camera
      stage: idx_replay
      options: {folder: data, part: test, items: 20, swap_fraction: 0.5}
    - name: orders
      stage: write_json
      inputs: [camera]
      options: {path: orders.jsonl, fields: [order, truth], max_mb: 100, keep: 10}
)",
    .create = create,
    .holds = true,
};

}  // namespace moru::edge
