// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <unordered_map>

#include "edge/streams/item_key.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

constexpr TimeNs kNever = std::numeric_limits<TimeNs>::max();

struct JoinOptions {
  std::vector<FieldName> key;
  std::vector<std::string> prefixes;
  TimeNs within = 0;
  bool optional = false;
  std::int64_t max_items = 100'000;
  std::string where;
  std::string within_where;
};

/// An item of the first input waits until event time has passed it on every input; only then is it known which item of each
/// other input is the last one not after it. So the result does not depend on which thread was faster.
class Join final : public Stage {
 public:
  explicit Join(JoinOptions options) : options_(std::move(options)), key_(options_.key) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    if (options_.prefixes.size() + 1 != inputs.size()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} prefixes for {} inputs, expected one for each input but the first",
                                                           options_.where, options_.prefixes.size(), inputs.size()));
    }
    Schema schema = inputs[0];
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      MORU_RETURN_IF_ERROR(check_key(inputs[i], options_.key, options_.where));
      if (i > 0) MORU_RETURN_IF_ERROR(add_fields(i - 1, inputs[i], schema));
      if (i > 0) MORU_RETURN_IF_ERROR(check_within(inputs[0], inputs[i]));
    }
    return std::vector<Schema>{std::move(schema)};
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override { return process_from(0, std::move(item), output); }

  Status process_from(std::size_t input, Item&& item, Output& output) override {
    if (!key_.read(item)) return drop(output, "field missing");
    if (!in_time_range(item.event_time)) return drop(output, "time out of range");
    if (item.event_time < watermark_) return drop(output, "late");
    if (held_ >= static_cast<std::uint64_t>(options_.max_items)) return drop(output, "too many items");
    ++held_;
    if (input == 0) {
      const TimeNs time = item.event_time;
      pending_.try_emplace({time, ++arrived_}, Pending{key_.bytes(), std::move(item)});
      return {};
    }
    auto& sides = sides_[key_.bytes()];
    sides.resize(options_.prefixes.size());
    auto& side = sides[input - 1];
    // Mostly at the end; behind those of the same time, so that the last of them counts.
    auto at = side.end();
    while (at != side.begin() && std::prev(at)->item.event_time > item.event_time) --at;
    side.insert(at, Kept{std::move(item), false});
    return {};
  }

  void watermark(TimeNs time, Output& output) override {
    watermark_ = time;
    while (!pending_.empty() && pending_.begin()->first.first < time) {  // more may come of that very time
      auto node = pending_.extract(pending_.begin());
      match(node.mapped(), output);
    }
    if (time < next_sweep_) return;
    next_sweep_ = time > kNever - options_.within ? kNever : time + options_.within / 4 + 1;
    for (auto it = sides_.begin(); it != sides_.end();) it = forget(it->second, output) ? sides_.erase(it) : std::next(it);
  }

  void finish(Output& output) override {
    next_sweep_ = std::numeric_limits<TimeNs>::min();
    watermark(kNever, output);
    for (auto& [key, sides] : sides_) {
      for (auto& side : sides) {
        for (const Kept& kept : side) done(kept, output);
      }
    }
    sides_.clear();
  }
  std::uint64_t held() const override { return held_; }

 private:
  struct Kept {
    Item item;
    bool matched;
  };
  using Sides = std::vector<std::deque<Kept>>;  ///< of each input but the first, by event time
  struct Pending {
    std::string key;
    Item item;
  };
  struct Renamed {
    FieldFinder from;
    FieldName to;
  };

  /// Of the items of the first input some come between two of a slower one: they are to reach back to the earlier. Where each key has a
  /// pace of its own, or items may go without a partner, nobody can tell.
  Status check_within(const Schema& first, const Schema& other) const {
    const TimeNs needed = other.period - first.period;
    if (options_.optional || !options_.key.empty() || first.period == 0 || options_.within >= needed) return {};
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{}: found within_ms of {}, expected at least {}, or optional: true: the items of '{}' are {} apart and those of '{}' {}, so "
            "some would never find a partner",
            options_.within_where, in_ms(options_.within), in_ms(needed), first.from, in_ms(first.period), other.from,
            in_ms(other.period)));
  }

  Status add_fields(std::size_t side, const Schema& input, Schema& schema) {
    renamed_.resize(options_.prefixes.size());
    schema.open = schema.open || input.open;
    for (const auto& field : input.fields) {
      if (std::ranges::find(options_.key, field.name) != options_.key.end() || field.name.is_note()) continue;
      FieldSpec renamed = field;
      renamed.name = options_.prefixes[side] + field.name.text();
      if (schema.find(renamed.name) != nullptr) {
        return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found field '{}' from two inputs, expected prefixes that keep them apart",
                                                             options_.where, renamed.name.text()));
      }
      renamed_[side].push_back({FieldFinder(field.name), renamed.name});
      schema.set(std::move(renamed));
    }
    return {};
  }

  void match(Pending& pending, Output& output) {
    --held_;
    const auto found = sides_.find(pending.key);
    const TimeNs time = pending.item.event_time;
    for (std::size_t i = 0; i < options_.prefixes.size(); ++i) {
      Kept* const kept = found == sides_.end() ? nullptr : last_at(found->second[i], time);
      if (kept == nullptr) {
        if (options_.optional) continue;
        output.drop("no match");
        return;
      }
      kept->matched = true;
      pending.item.receipt.add(kept->item.receipt);
      for (const Renamed& one : renamed_[i]) {
        const Field* const field = one.from.in(kept->item);
        if (field != nullptr) pending.item.fields.set_as(one.to, *field);
      }
    }
    output.used(1);
    output.emit(std::move(pending.item));
  }

  /// The last item not after `time`, where it is not older than allowed.
  Kept* last_at(std::deque<Kept>& side, TimeNs time) const {
    const auto after = std::ranges::upper_bound(side, time, {}, [](const Kept& kept) { return kept.item.event_time; });
    if (after == side.begin()) return nullptr;
    Kept& kept = *std::prev(after);
    return kept.item.event_time < time - options_.within ? nullptr : &kept;
  }

  /// Lets go of what no item to come can match: all but the last one that event time has passed, and that too when it is too
  /// old. True when nothing is left.
  bool forget(Sides& sides, Output& output) {
    bool empty = true;
    for (auto& side : sides) {
      while (side.size() > 1 && side[1].item.event_time <= watermark_) forget_front(side, output);
      if (!side.empty() && side.front().item.event_time <= watermark_ && watermark_ - side.front().item.event_time > options_.within)
        forget_front(side, output);
      empty = empty && side.empty();
    }
    return empty;
  }
  void forget_front(std::deque<Kept>& side, Output& output) {
    done(side.front(), output);
    side.pop_front();
  }
  void done(const Kept& kept, Output& output) {
    --held_;
    if (kept.matched) {
      output.used(1);
    } else {
      output.drop("no match");
    }
  }

  const JoinOptions options_;
  std::vector<std::vector<Renamed>> renamed_;
  ItemKey key_;
  std::map<std::pair<TimeNs, std::uint64_t>, Pending> pending_;  ///< of the first input, by event time
  std::unordered_map<std::string, Sides> sides_;
  TimeNs watermark_ = std::numeric_limits<TimeNs>::min();
  TimeNs next_sweep_ = std::numeric_limits<TimeNs>::min();
  std::uint64_t arrived_ = 0;
  std::uint64_t held_ = 0;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  JoinOptions options;
  std::vector<std::string> key;
  double within_ms = 0.0;
  ConfigReader reader(object);
  reader.required("prefixes", &options.prefixes);
  reader.required("within_ms", &within_ms, {.min = 0.0, .max = 1e11});
  reader.optional("key", &key);
  reader.optional("optional", &options.optional);
  reader.optional("max_items", &options.max_items, {.min = 1, .max = 1e9});
  MORU_RETURN_IF_ERROR(reader.finish());
  options.key.assign(key.begin(), key.end());
  options.within = static_cast<TimeNs>(within_ms * 1e6);
  options.where = object.where();
  options.within_where = object.find("within_ms")->where();
  return std::make_unique<Join>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_join;
const StageSpec kStage_join{
    .name = "join",
    .kind = StageKind::kStage,
    .doc = R"(Joins several streams in time: each item of the first input gets the fields of the last item of every other input that is not
after it, of the same key, and not older than within_ms (an as-of join). The result does not depend on which input is faster.

Reads   the fields of `key` (int64 or text) on every input
Writes  all fields of the first input, and PREFIX and name of those of the others

An item goes out when event time has passed it on every input. One that has no partner on some input is dropped("no match"), or,
with optional, goes out without its fields; so is in the end an item of another input that nobody needed. What comes when event time
has passed it is dropped("late").

Options
  within_ms: LENGTH      without key and optional no shorter than each item needs, where it is known how far apart they are
  prefixes: [TEXT, ...]  one for each input but the first; "" where the names differ anyway
  key: [FIELD, ...]      none: all items have the same
  optional: false
  max_items: 100000      that wait or are kept at a time; further ones are dropped("too many items")
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: together
spec:
  stages:
    - name: inside
      stage: synthetic
      options: {keys: 2, items: 200, period_ms: 100, unit: degC}
    - name: outside
      stage: synthetic
      options: {keys: 2, items: 20, period_ms: 1000, unit: degC, mean: 5, seed: 2}
    - name: together
      stage: join
      inputs: [inside, outside]
      options: {within_ms: 5000, key: [device], prefixes: [outside_], optional: true}
    - name: difference
      stage: filter
      inputs: [together]
      options: {where: has(outside_value) and value - outside_value > 15}
    - name: results
      stage: write_json
      inputs: [difference]
      options: {path: differences.jsonl}
)",
    .create = create,
    .light = true,
    .timed = true,
    .holds = true,
    .tells_inputs = true,
    .min_inputs = 2,
};

}  // namespace moru::edge
