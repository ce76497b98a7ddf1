// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <optional>

#include "edge/streams/item_key.h"
#include "edge/streams/key_table.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

class Deduplicate final : public Stage {
 public:
  Deduplicate(std::vector<FieldName> key, TimeNs within, std::int64_t max_keys, std::string where)
      : names_(std::move(key)), key_(names_), within_(within), seen_(max_keys, within), where_(std::move(where)) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_RETURN_IF_ERROR(check_key(inputs[0], names_, where_));
    return std::vector<Schema>{inputs[0]};
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override {
    if (!key_.read(item)) return drop(output, "field missing");
    if (!in_time_range(item.event_time)) return drop(output, "time out of range");
    auto* const seen = seen_.find(key_.bytes(), item.event_time);
    if (seen == nullptr) return drop(output, "too many keys");
    if (*seen && item.event_time - **seen <= within_ && **seen - item.event_time <= within_) return drop(output, "duplicate");
    *seen = item.event_time;
    output.emit(std::move(item));
    return {};
  }

 private:
  const std::vector<FieldName> names_;
  ItemKey key_;
  const TimeNs within_;
  KeyTable<std::optional<TimeNs>> seen_;  // when an item of the key was last passed on
  const std::string where_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  std::vector<std::string> key;
  double within_ms = 0.0;
  std::int64_t max_keys = 100'000;
  ConfigReader reader(object);
  reader.required("key", &key);
  reader.required("within_ms", &within_ms, {.min = 0.0, .max = 1e11});
  reader.optional("max_keys", &max_keys, {.min = 1, .max = 1e8});
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<Deduplicate>(std::vector<FieldName>(key.begin(), key.end()), static_cast<TimeNs>(within_ms * 1e6), max_keys,
                                       object.find("key")->where());
}

}  // namespace

extern const StageSpec kStage_deduplicate;
const StageSpec kStage_deduplicate{
    .name = "deduplicate",
    .kind = StageKind::kStage,
    .doc = R"(Passes on the first item of a key; one of the same key within a time of it (event time, either way) is dropped("duplicate").

Reads   the fields of `key` (int64 or text)

Options
  key: [FIELD, ...]      what two items have in common that are the same
  within_ms: LENGTH
  max_keys: 100000       that are remembered; items of further keys are dropped("too many keys")
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: once
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {keys: 4, items: 400, period_ms: 10}
    - name: once
      stage: deduplicate
      inputs: [sensors]
      options: {key: [device], within_ms: 500}
    - name: results
      stage: write_json
      inputs: [once]
      options: {path: once.jsonl}
)",
    .create = create,
    .light = true,
};

}  // namespace moru::edge
