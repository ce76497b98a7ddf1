// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_map>

#include "edge/streams/item_key.h"
#include "edge/streams/stage.h"
#include "edge/streams/window_options.h"

namespace moru::edge {
namespace {

constexpr std::array<std::string_view, 2> kPorts = {"out", "late"};
constexpr TimeNs kNever = std::numeric_limits<TimeNs>::max();
constexpr std::size_t kMaxValues = 65536;  // that one window keeps for a quantile

struct Window {
  TimeNs start = 0;
  TimeNs end = 0;
  std::uint64_t items = 0;
  std::uint64_t owned = 0;  ///< items for which it is the last window; told as used when it closes
  TimeNs emitted = 0;       ///< of its last item
  Receipt receipt = {};     ///< of all its items
  std::vector<Summary> summaries;
};

struct KeyState {
  Fields fields;                ///< of the key, for what is emitted
  std::vector<Window> windows;  ///< open ones, by start
};

class WindowStage final : public Stage {
 public:
  explicit WindowStage(WindowOptions options) : options_(std::move(options)), key_(options_.key) {
    for (const FieldName name : options_.fields) finders_.emplace_back(name);
  }

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    Schema schema;
    MORU_RETURN_IF_ERROR(check_key(inputs[0], options_.key, options_.key_where));
    MORU_RETURN_IF_ERROR(check_size(inputs[0]));
    for (const FieldName name : options_.key) {
      if (const FieldSpec* field = inputs[0].find(name)) schema.set(*field);
    }
    schema.set({.name = start_, .type = FieldType::kInt64, .unit = "ns"});
    schema.set({.name = end_, .type = FieldType::kInt64, .unit = "ns"});
    for (const auto& output : options_.outputs) {
      FieldSpec result{.name = output.name, .type = FieldType::kDouble};
      if (output.aggregate.kind == Aggregate::Kind::kCount) {
        result.type = FieldType::kInt64;
      } else {
        MORU_ASSIGN_OR_RETURN(const FieldSpec* field, inputs[0].need_number(options_.outputs_where, output.aggregate.field));
        if (field != nullptr) result.unit = field->unit;
      }
      schema.set(std::move(result));
    }
    // Of several keys windows close at one time.
    if (options_.key.empty() && is_grid()) schema.period = options_.step;
    return std::vector<Schema>{std::move(schema), inputs[0]};
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override {
    values_.clear();
    for (const auto& finder : finders_) {
      const auto value = number_of(finder.in(item));
      if (!value) return drop(output, "field missing");
      if (std::isnan(*value)) return drop(output, "not a number");
      values_.push_back(*value);
    }
    if (!key_.read(item)) return drop(output, "field missing");
    if (!in_time_range(item.event_time)) return drop(output, "time out of range");
    if (options_.kind != WindowOptions::Kind::kCount && latest_end(item.event_time) <= watermark_) return late(std::move(item), output);
    KeyState* const state = state_of(item);
    if (state == nullptr) return drop(output, "too many keys");
    switch (options_.kind) {
      case WindowOptions::Kind::kTumbling:
      case WindowOptions::Kind::kSliding: add_to_grid(*state, item); break;
      case WindowOptions::Kind::kSession: add_to_session(*state, item); break;
      case WindowOptions::Kind::kCount: add_to_count(*state, item, output); break;
    }
    return {};
  }

  void watermark(TimeNs time, Output& output) override {
    watermark_ = time;
    if (time >= next_end_) close_until(time, output);
  }
  void finish(Output& output) override { close_until(kNever, output); }
  std::uint64_t held() const override { return held_; }

 private:
  bool is_grid() const { return options_.kind == WindowOptions::Kind::kTumbling || options_.kind == WindowOptions::Kind::kSliding; }
  Status check_size(const Schema& input) const {
    if (options_.kind == WindowOptions::Kind::kCount) return {};
    return input.need_reach(options_.size_where, is_grid() ? "size_ms" : "gap_ms", options_.size, "no window would hold two");
  }
  Status late(Item&& item, Output& output) {
    if (!output.is_read(1)) return drop(output, "late");
    output.emit_to(1, std::move(item));
    output.used(1);  // it has gone out whole
    return {};
  }

  static TimeNs floor_to(TimeNs time, TimeNs step) { return time - ((time % step) + step) % step; }

  /// The end of the last window that an item of that time may be in.
  TimeNs latest_end(TimeNs time) const {
    return options_.kind == WindowOptions::Kind::kSession ? time + options_.size : floor_to(time, options_.step) + options_.size;
  }

  KeyState* state_of(const Item& item) {
    const auto found = keys_.find(key_.bytes());
    if (found != keys_.end()) return &found->second;
    if (static_cast<std::int64_t>(keys_.size()) >= options_.max_keys) return nullptr;
    KeyState& state = keys_[key_.bytes()];
    state.fields = key_.fields(item);
    return &state;
  }

  void add(Window& window, const Item& item, bool owns) {
    if (window.summaries.empty()) window.summaries.resize(values_.size());
    for (std::size_t i = 0; i < values_.size(); ++i) {
      Summary& summary = window.summaries[i];
      summary.add(values_[i], item.event_time, options_.keeps[i] && summary.kept() < kMaxValues);
    }
    ++window.items;
    window.emitted = item.emitted;
    window.receipt.add(item.receipt);
    if (!owns) return;
    ++window.owned;
    ++held_;
  }

  void add_to_grid(KeyState& state, const Item& item) {
    const TimeNs last = floor_to(item.event_time, options_.step);
    for (TimeNs start = last; start > item.event_time - options_.size; start -= options_.step) {
      if (start + options_.size <= watermark_) break;  // that one is closed, and those before it
      auto at = std::ranges::lower_bound(state.windows, start, {}, &Window::start);
      if (at == state.windows.end() || at->start != start) {
        at = state.windows.insert(at, Window{.start = start, .end = start + options_.size, .summaries = {}});
        next_end_ = std::min(next_end_, at->end);
      }
      add(*at, item, start == last);
    }
  }

  /// A session is as long as its items follow each other within the gap; an item between two of them makes them one.
  void add_to_session(KeyState& state, const Item& item) {
    const TimeNs time = item.event_time;
    const auto touches = [&](const Window& window) { return time > window.start - options_.size && time < window.end; };
    const auto at = std::ranges::find_if(state.windows, touches);
    if (at == state.windows.end()) {
      const auto place = std::ranges::lower_bound(state.windows, time, {}, &Window::start);
      const auto made = state.windows.insert(place, Window{.start = time, .end = time + options_.size, .summaries = {}});
      next_end_ = std::min(next_end_, made->end);
      add(*made, item, true);
      return;
    }
    at->start = std::min(at->start, time);
    at->end = std::max(at->end, time + options_.size);
    add(*at, item, true);
    for (auto next = at + 1; next != state.windows.end() && next->start < at->end; next = state.windows.erase(next)) merge(*at, *next);
  }

  void merge(Window& window, const Window& later) {
    window.end = std::max(window.end, later.end);
    window.items += later.items;
    window.owned += later.owned;
    window.emitted = std::max(window.emitted, later.emitted);
    window.receipt.add(later.receipt);
    for (std::size_t i = 0; i < later.summaries.size(); ++i) window.summaries[i].merge(later.summaries[i]);
  }

  void add_to_count(KeyState& state, const Item& item, Output& output) {
    if (state.windows.empty()) state.windows.push_back(Window{.start = item.event_time, .end = item.event_time, .summaries = {}});
    Window& window = state.windows.front();
    window.start = std::min(window.start, item.event_time);
    window.end = std::max(window.end, item.event_time);
    add(window, item, true);
    if (static_cast<std::int64_t>(window.items) < options_.count) return;
    emit(state, window, output);
    state.windows.clear();
  }

  /// Windows that have ended go out by their end, those of one end by their key: the same in every run.
  void close_until(TimeNs time, Output& output) {
    struct Due {
      TimeNs end;
      const std::string* key;
      KeyState* state;
      std::size_t window;
    };
    std::vector<Due> due;
    next_end_ = kNever;
    for (auto& [key, state] : keys_) {
      for (std::size_t i = 0; i < state.windows.size(); ++i) {
        const TimeNs end = state.windows[i].end;
        if (end <= time) {
          due.push_back({end, &key, &state, i});
        } else {
          next_end_ = std::min(next_end_, end);
        }
      }
    }
    std::ranges::sort(due, [](const Due& a, const Due& b) { return a.end != b.end ? a.end < b.end : *a.key < *b.key; });
    for (const Due& one : due) emit(*one.state, one.state->windows[one.window], output);
    for (auto it = keys_.begin(); it != keys_.end();) {
      std::erase_if(it->second.windows, [&](const Window& window) { return window.end <= time; });
      it = it->second.windows.empty() ? keys_.erase(it) : std::next(it);
    }
  }

  void emit(const KeyState& state, const Window& window, Output& output) {
    Item item;
    item.sequence = ++emitted_;
    item.event_time = window.end;
    item.emitted = window.emitted;
    item.receipt = window.receipt;
    item.fields = state.fields;
    item.fields.set(start_, window.start);
    item.fields.set(end_, window.end);
    for (const auto& one : options_.outputs) {
      if (one.aggregate.kind == Aggregate::Kind::kCount) {
        item.fields.set(one.name, static_cast<std::int64_t>(window.items));
      } else {
        item.fields.set(one.name, window.summaries[one.summary].value(one.aggregate));
      }
    }
    held_ -= window.owned;
    output.used(window.owned);
    output.emit(std::move(item));
  }

  const FieldName start_{"window_start"};
  const FieldName end_{"window_end"};
  const WindowOptions options_;
  std::vector<FieldFinder> finders_;
  std::vector<double> values_;  ///< of the item at hand
  ItemKey key_;
  std::unordered_map<std::string, KeyState> keys_;
  TimeNs watermark_ = std::numeric_limits<TimeNs>::min();
  TimeNs next_end_ = kNever;
  std::uint64_t held_ = 0;
  std::uint64_t emitted_ = 0;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  MORU_ASSIGN_OR_RETURN(auto options, read_window_options(object));
  return std::make_unique<WindowStage>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_window;
const StageSpec kStage_window{
    .name = "window",
    .kind = StageKind::kStage,
    .doc = R"(Sums up items in windows of event time, for each key apart, and emits one item a window when event time has passed its end.

Reads   the fields of `key` (int64 or text) and of the aggregates (numbers); an item that lacks one is dropped("field missing"), one
        with a NaN dropped("not a number")
Writes  the fields of `key`
        window_start, window_end   int64, ns since 1970; the end is the item's event time too
        NAME of each aggregate     count() int64, all others double, with the unit of their field

Kinds: tumbling (one after the other), sliding (a new one each step), session (ends when no item came for the gap), count (so many
items, in the order in which they come). What comes after its windows have closed is dropped("late"), or goes out by the port
`late` where somebody reads it; how long a window waits is lateness_ms of the source. All windows close when the stream ends. A
quantile is exact up to 65,536 values a window, and of the first 65,536 beyond.

Options
  kind: tumbling         or sliding, session, count
  size_ms: LENGTH        of tumbling and sliding ones; this and gap_ms no shorter than the items are apart, where that is known
  step_ms: LENGTH        of sliding ones
  gap_ms: LENGTH         of sessions
  count: ITEMS           of count ones
  key: [FIELD, ...]      none: one window for all
  max_keys: 100000       items of further keys are dropped("too many keys")
  set: {NAME: AGGREGATE} of count(), sum(F), mean(F), min(F), max(F), std(F), first(F), last(F), quantile(F, Q)
)",
    .example = R"yaml(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: averages
spec:
  stages:
    - name: sensors
      stage: synthetic
      lateness_ms: 50
      options: {keys: 3, items: 300, period_ms: 10, unit: degC}
    - name: second
      stage: window
      inputs: [sensors]
      options:
        kind: tumbling
        size_ms: 1000
        key: [device]
        set: {average: mean(value), worst: max(value), p95: "quantile(value, 0.95)", n: count()}
    - name: results
      stage: write_json
      inputs: [second]
      options: {path: averages.jsonl}
)yaml",
    .create = create,
    .light = true,
    .timed = true,
    .holds = true,
    .outputs = kPorts,
};

}  // namespace moru::edge
