// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "edge/streams/keyed_states.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

struct ThresholdOptions {
  std::string field;
  double on = 0.0;
  double off = 0.0;
  std::string output = "alert";
  std::vector<FieldName> key;
  double hold_ms = 0.0;
  bool only_changes = false;
  std::int64_t max_keys = 100'000;
  std::string where;
};

class Threshold final : public Stage {
 public:
  explicit Threshold(ThresholdOptions options)
      : options_(std::move(options)),
        field_(options_.field),
        output_(options_.output),
        hold_(static_cast<TimeNs>(options_.hold_ms * 1e6)),
        states_(options_.key, options_.where, options_.max_keys) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_RETURN_IF_ERROR(states_.check(inputs[0]));
    MORU_RETURN_IF_ERROR(inputs[0].need_number(options_.where, options_.field));
    Schema schema = inputs[0];
    schema.set({.name = output_, .type = FieldType::kInt64});
    return std::vector<Schema>{std::move(schema)};
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override {
    const auto value = number_of(field_.in(item));
    if (!value || !states_.read(item)) return drop(output, "field missing");
    if (std::isnan(*value)) return drop(output, "not a number");
    State* const state = states_.find(item, output);
    if (state == nullptr) return {};
    const bool changed = update(*state, *value, item.event_time);
    if (options_.only_changes && !changed) return drop(output, "no change");
    item.fields.set(output_, std::int64_t{state->on ? 1 : 0});
    output.emit(std::move(item));
    return {};
  }

 private:
  struct State {
    bool on = false;
    bool crossed = false;  // the limit of the other state is passed since then
    TimeNs since = 0;
  };

  /// True when the state has changed: the limit of the other state has been passed for the hold time.
  bool update(State& state, double value, TimeNs time) const {
    const bool above = options_.on >= options_.off;
    const bool past_on = above ? value >= options_.on : value <= options_.on;
    const bool past_off = above ? value < options_.off : value > options_.off;
    const bool past = state.on ? past_off : past_on;
    if (!past) {
      state.crossed = false;
      return false;
    }
    if (!state.crossed) {
      state.crossed = true;
      state.since = time;
    }
    if (time - state.since < hold_) return false;
    state.on = !state.on;
    state.crossed = false;
    return true;
  }

  const ThresholdOptions options_;
  const FieldFinder field_;
  const FieldName output_;
  const TimeNs hold_;
  KeyedStates<State> states_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  ThresholdOptions options;
  std::vector<std::string> key;
  ConfigReader reader(object);
  reader.required("field", &options.field);
  reader.required("on", &options.on);
  reader.required("off", &options.off);
  reader.optional("hold_ms", &options.hold_ms, {.min = 0.0, .max = 1e11});
  reader.optional("output", &options.output);
  reader.optional("only_changes", &options.only_changes);
  reader.optional("key", &key);
  reader.optional("max_keys", &options.max_keys, {.min = 1, .max = 1e8});
  MORU_RETURN_IF_ERROR(reader.finish());
  if (!std::isfinite(options.on) || !std::isfinite(options.off))
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found on {} and off {}, expected finite numbers", object.where(), options.on, options.off));
  options.key.assign(key.begin(), key.end());
  options.where = object.where();
  return std::make_unique<Threshold>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_threshold;
const StageSpec kStage_threshold{
    .name = "threshold",
    .kind = StageKind::kStage,
    .doc = R"(Says whether a value is too high (or too low), with hysteresis, so that one that wavers about a limit does not flicker.

Reads   FIELD   a number; an item without it is dropped("field missing"), one with a NaN dropped("not a number")
        the fields of `key` (int64 or text)
Writes  OUTPUT  int64: 1 from the item at which the value has reached `on` until the one at which it has passed `off`, else 0

With on >= off a high value is the bad one: it is on at value >= on, and off again at value < off. With on < off a low one is: on at
value <= on, off at value > off.

Options
  field: FIELD
  on: LIMIT
  off: LIMIT
  hold_ms: 0             the limit must be passed by every item for so long (event time) before the state changes
  output: alert
  only_changes: false    true: the items between two changes are dropped("no change")
  key: [FIELD, ...]      none: one state for all
  max_keys: 100000       items of further keys are dropped("too many keys")
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: hot
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {keys: 2, items: 400, period_ms: 500, unit: degC}
    - name: hot
      stage: threshold
      inputs: [sensors]
      options: {field: value, on: 24, off: 22, key: [device], only_changes: true}
    - name: results
      stage: write_json
      inputs: [hot]
      options: {path: hot.jsonl}
)",
    .create = create,
    .light = true,
};

}  // namespace moru::edge
