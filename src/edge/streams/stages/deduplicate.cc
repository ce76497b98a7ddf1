// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <optional>

#include "edge/streams/keyed_states.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

class Deduplicate final : public Stage {
 public:
  Deduplicate(std::vector<FieldName> key, TimeNs within, std::int64_t max_keys, std::string where)
      : within_(within), seen_(std::move(key), std::move(where), max_keys, within) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_RETURN_IF_ERROR(seen_.check(inputs[0]));
    return std::vector<Schema>{inputs[0]};
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override {
    if (!seen_.read(item)) return drop(output, "field missing");
    auto* const seen = seen_.find(item, output);
    if (seen == nullptr) return {};
    if (*seen && item.event_time - **seen <= within_ && **seen - item.event_time <= within_) return drop(output, "duplicate");
    *seen = item.event_time;
    output.emit(std::move(item));
    return {};
  }

 private:
  const TimeNs within_;
  KeyedStates<std::optional<TimeNs>> seen_;  // when an item of the key was last passed on
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

What a sender sends again, because the first was lost behind this stage, is a duplicate, too. Where nothing may be lost, let the sink tell
what comes again by its key instead: write_sqlite and write_postgres do.

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
