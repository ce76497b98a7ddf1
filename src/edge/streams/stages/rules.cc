// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "core/text.h"
#include "edge/streams/expression.h"
#include "edge/streams/keyed_states.h"
#include "edge/streams/rule.h"
#include "edge/streams/stage.h"
#include "edge/streams/time_order.h"

namespace moru::edge {
namespace {

constexpr TimeNs kNever = std::numeric_limits<TimeNs>::max();

class Rules final : public Stage {
 public:
  explicit Rules(RuleOptions options)
      : options_(std::move(options)),
        keys_({options_.key.begin(), options_.key.end()}, options_.where, options_.max_keys),
        events_(options_.events.size()) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    Schema schema;
    for (const Schema& input : inputs) {
      MORU_RETURN_IF_ERROR(keys_.check(input));
      for (const FieldName name : keys_.names()) {
        if (const FieldSpec* field = input.find(name)) schema.set(*field);
      }
    }
    for (const FieldSpec& field : own_fields()) {
      if (schema.find(field.name) != nullptr) return twice(field.name);
      schema.set(field);
    }
    by_input_.resize(inputs.size());
    for (std::size_t i = 0; i < events_.size(); ++i) MORU_RETURN_IF_ERROR(bind_event(i, inputs, schema));
    for (const auto& rule : options_.rules) MORU_RETURN_IF_ERROR(check_reach(rule, inputs));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!by_input_[i].events.empty()) continue;
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found no event of input '{}', expected one of each input", options_.where, inputs[i].from));
    }
    return std::vector<Schema>{std::move(schema)};
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override { return process_from(0, std::move(item), output); }

  Status process_from(std::size_t input, Item&& item, Output& output) override {
    Happening happening;
    if (const Fault fault = test(input, item, happening); happening.events == 0)
      return drop(output, fault == Fault::kNone ? "no event" : to_string(fault));
    if (!keys_.read(item)) return drop(output, "field missing");
    if (!in_time_range(item.event_time)) return drop(output, "time out of range");
    if (item.event_time < watermark_) return drop(output, "late");
    if (held_ >= static_cast<std::uint64_t>(options_.max_items)) return drop(output, "too many items");
    KeyState* const state = keys_.find(item, output);
    if (state == nullptr) return {};
    if (state->rules.empty()) begin(*state, item);
    if (state->items >= options_.max_items_per_key) return drop(output, "too many items of a key");
    latest_ = std::max(latest_, item.event_time);
    happening.item = std::move(item);
    happening.item.fields.keep(by_input_[input].keep);
    ++held_;
    ++state->items;
    const TimeNs time = happening.item.event_time;
    order_.put(time, input, {state, std::make_shared<Happening>(std::move(happening))});
    return {};
  }

  void watermark(TimeNs time, Output& output) override {
    watermark_ = time;
    order_.advance(
        time, [&](TimeNs, std::size_t, Waiting&& waiting) { happened(waiting, output); },
        [&](TimeNs at, std::size_t rule, const std::string& key) { expire(at, rule, key, output); });
  }

  /// What event time has not decided stays undecided.
  void finish(Output& output) override {
    if (latest_ < kNever) watermark(std::max(watermark_, latest_ + 1), output);
    ended_ = true;
    watermark(kNever, output);
  }
  std::uint64_t held() const override { return held_; }

 private:
  struct KeyState {
    std::string key;
    Fields fields;
    std::vector<RuleState> rules;
    std::vector<std::optional<TimeNs>> timers;  ///< of each rule
    std::int64_t items = 0;                     ///< that wait, here or in the order of time
  };
  struct Waiting {
    KeyState* state;
    HappeningRef event;
  };
  struct Renamed {
    FieldFinder from;
    FieldName to;
  };
  struct BoundEvent {
    std::optional<Expression> condition;
    std::vector<Renamed> fields;
  };
  struct Input {
    std::vector<std::size_t> events;
    std::vector<FieldName> keep;  ///< what any of its events shows
  };

  static std::array<FieldSpec, 4> own_fields() {
    return {FieldSpec{.name = "rule", .type = FieldType::kText}, FieldSpec{.name = "rule_start", .type = FieldType::kInt64, .unit = "ns"},
            FieldSpec{.name = "rule_end", .type = FieldType::kInt64, .unit = "ns"},
            FieldSpec{.name = "rule_events", .type = FieldType::kInt64}};
  }
  std::unexpected<Error> twice(FieldName name) const {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found field '{}' twice in a match, expected names that differ", options_.where, name.text()));
  }

  /// A rule whose events are all items of one input: it needs the time that these take to come.
  Status check_reach(const RuleOptions::Rule& rule, std::span<const Schema> inputs) const {
    const std::string& first = options_.events[rule.events.front()].input;
    if (std::ranges::any_of(rule.events, [&](std::size_t event) { return options_.events[event].input != first; })) return {};
    MORU_ASSIGN_OR_RETURN(const std::size_t input, input_named(rule.where, first, inputs));
    const bool is_absence = rule.kind == RuleOptions::Kind::kAbsence;
    const auto events = rule.kind == RuleOptions::Kind::kCount ? rule.at_least : static_cast<std::int64_t>(rule.events.size());
    return inputs[input].need_reach(rule.where, "within_ms", rule.within, is_absence ? "it would match always" : "it would match never",
                                    events - 1);
  }

  Status bind_event(std::size_t index, std::span<const Schema> inputs, Schema& schema) {
    const auto& event = options_.events[index];
    MORU_ASSIGN_OR_RETURN(const std::size_t number, input_named(event.where, event.input, inputs));
    const Schema& found = inputs[number];
    MORU_ASSIGN_OR_RETURN(events_[index].condition, Expression::condition(event.condition, found, event.where));
    Input& input = by_input_[number];
    input.events.push_back(index);
    for (const auto& name : event.keeps_all ? found.names() : event.keep) {
      MORU_ASSIGN_OR_RETURN(const FieldSpec* field, found.need(event.where, name));
      if (std::ranges::find(keys_.names(), FieldName(name)) != keys_.names().end()) continue;
      FieldSpec renamed = field == nullptr ? FieldSpec{.name = name} : *field;
      renamed.name = event.name + "_" + name;
      if (schema.find(renamed.name) != nullptr) return twice(renamed.name);
      if (std::ranges::find(input.keep, FieldName(name)) == input.keep.end()) input.keep.emplace_back(name);
      events_[index].fields.push_back({FieldFinder(name), renamed.name});
      if (field == nullptr) {
        schema.open = true;  // nobody knows its type
      } else {
        schema.set(std::move(renamed));
      }
    }
    return {};
  }

  /// Which events the item is; of an item that is none, why an expression had no value.
  Fault test(std::size_t input, const Item& item, Happening& happening) const {
    Fault first = Fault::kNone;
    for (const std::size_t event : by_input_[input].events) {
      bool is = false;
      const Fault fault = events_[event].condition->test(item, is);
      if (first == Fault::kNone) first = fault;
      if (fault == Fault::kNone && is) happening.events |= std::uint64_t{1} << event;
    }
    return first;
  }

  void begin(KeyState& state, const Item& item) const {
    state.key = keys_.bytes();
    state.fields = keys_.fields(item);
    state.rules.resize(options_.rules.size());
    state.timers.resize(options_.rules.size());
  }

  void happened(Waiting& waiting, Output& output) {
    KeyState& state = *waiting.state;
    for (std::size_t i = 0; i < options_.rules.size(); ++i) {
      const TimeNs now = waiting.event->item.event_time;
      state.rules[i].happened(
          options_.rules[i], waiting.event, [&](const auto& events) { emit(i, state, events, now, output); },
          [&](HappeningRef event) { let_go(state, std::move(event), output); });
      arm(state, i);
    }
    let_go(state, std::move(waiting.event), output);
    forget(state);
  }

  void expire(TimeNs time, std::size_t rule, const std::string& key, Output& output) {
    KeyState& state = *keys_.known(key);  // a state with a timer is never forgotten
    state.timers[rule].reset();
    const auto match = [&](const std::vector<HappeningRef>& events) {
      if (!ended_) emit(rule, state, events, time, output);
    };
    state.rules[rule].expire(options_.rules[rule], time, match, [&](HappeningRef event) { let_go(state, std::move(event), output); });
    arm(state, rule);
    forget(state);
  }

  /// One timer a rule and key at most. One that stands too early finds nothing, and sets itself anew.
  void arm(KeyState& state, std::size_t rule) {
    TimeNs time = 0;
    if (state.timers[rule] || !state.rules[rule].deadline(options_.rules[rule], time)) return;
    state.timers[rule] = time;
    order_.set_timer(time, rule, state.key);
  }

  void let_go(KeyState& state, HappeningRef event, Output& output) {
    if (event.use_count() > 1) return;  // another rule holds it
    --held_;
    --state.items;
    if (event->matched) {
      output.used(1);
    } else {
      output.drop(ended_ ? "ended" : "no match");
    }
  }

  void forget(KeyState& state) {
    if (state.items > 0) return;
    for (std::size_t i = 0; i < state.timers.size(); ++i) {
      if (state.timers[i]) order_.take_timer_back(*state.timers[i], i, state.key);
    }
    keys_.erase(std::string(state.key));  // a copy: the name dies with the state
  }

  void emit(std::size_t rule, const KeyState& state, const std::vector<HappeningRef>& events, TimeNs time, Output& output) {
    const auto& options = options_.rules[rule];
    Item item;
    item.sequence = ++emitted_;
    item.event_time = time;
    // Of an absence the item that is missing would be due now.
    item.emitted = options.kind == RuleOptions::Kind::kAbsence ? 0 : events.back()->item.emitted;
    item.fields = state.fields;
    item.set("rule", options.name);
    item.set("rule_start", events.front()->item.event_time);
    item.set("rule_end", time);
    item.set("rule_events", events.size());
    for (std::size_t i = 0; i < events.size(); ++i) {
      events[i]->matched = true;
      item.receipt.add(events[i]->item.receipt);
      const std::size_t event = options.events[std::min(i, options.events.size() - 1)];
      for (const Renamed& one : events_[event].fields) {
        if (const Field* field = one.from.in(events[i]->item)) item.fields.set_as(one.to, *field);
      }
    }
    output.emit(std::move(item));
  }

  const RuleOptions options_;
  KeyedStates<KeyState> keys_;
  std::vector<BoundEvent> events_;
  std::vector<Input> by_input_;
  TimeOrder<Waiting> order_;
  TimeNs watermark_ = std::numeric_limits<TimeNs>::min();
  TimeNs latest_ = std::numeric_limits<TimeNs>::min();
  bool ended_ = false;
  std::uint64_t held_ = 0;
  std::uint64_t emitted_ = 0;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  MORU_ASSIGN_OR_RETURN(auto options, read_rule_options(object));
  return std::make_unique<Rules>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_rules;
const StageSpec kStage_rules{
    .name = "rules",
    .kind = StageKind::kStage,
    .doc = R"(Looks for patterns in time over several streams, for each key apart, and emits one item a match.

Reads   the fields of `key` (int64 or text) on every input, and those of the conditions
Writes  the fields of `key`
        rule          text, the rule's name
        rule_start, rule_end   int64, ns since 1970: its first event, and the match; the end is the item's event time too
        rule_events   int64, how many events are in it
        EVENT_FIELD   the fields of each event in the match (of several of one name: of the last)

An event is an item of one input for which a condition is true. A rule is one of

  sequence: [A, B, ...]     A, then B, ...; the last one within_ms after the first at most. Of several A the latest counts
  after: A, never: B        A, and no B after it within_ms; known when event time has passed that. With A and B the same it
                            watches a heartbeat
  count: A, at_least: N     N of them, the last one within_ms after the first at most

An event is in one match of each rule at most; after a match the rule begins anew. Time is event time, and nothing is looked at before
it has passed it on every input, so the matches do not depend on which input is faster; events of one time come in the order
of the inputs. An item that is no event is dropped("no event"), one that no rule needed in the end dropped("no match"), one that comes
when event time has passed it dropped("late"), and one that still waits when the stream ends dropped("ended").

Options
  events: {NAME: {input: INPUT, where: EXPRESSION, keep: [FIELD, ...]}, ...}   where: all items; keep: all known fields
  rules: {NAME: RULE, ...}      with within_ms each
  key: [FIELD, ...]             none: all items have the same
  max_keys: 100000              items of further keys are dropped("too many keys")
  max_items: 100000             that wait at a time; further ones are dropped("too many items")
  max_items_per_key: 1000       the same of one key: dropped("too many items of a key")
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: pumps
spec:
  stages:
    - name: pumps
      stage: synthetic
      options: {keys: 2, items: 400, period_ms: 100, unit: bar}
    - name: rooms
      stage: synthetic
      options: {keys: 2, items: 40, period_ms: 1000, unit: degC, seed: 2}
    - name: watch
      stage: rules
      inputs: [pumps, rooms]
      options:
        key: [device]
        events:
          high: {input: pumps, where: value > 24, keep: [value]}
          low: {input: pumps, where: value < 16}
          warm: {input: rooms, where: value > 22}
        rules:
          surge: {sequence: [low, high], within_ms: 8000}
          closed_in: {after: high, never: warm, within_ms: 3000}
          restless: {count: high, at_least: 20, within_ms: 5000}
    - name: results
      stage: write_json
      inputs: [watch]
      options: {path: matches.jsonl}
)",
    .create = create,
    .light = true,
    .timed = true,
    .holds = true,
    .tells_inputs = true,
};

}  // namespace moru::edge
