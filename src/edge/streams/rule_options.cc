// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "core/text.h"
#include "edge/streams/rule.h"

namespace moru::edge {
namespace {

constexpr std::size_t kMaxEvents = 64;  // a bit each
constexpr std::size_t kMaxRules = 256;
constexpr std::size_t kMaxSteps = 16;
constexpr double kMaxMs = 1e11;  // three years

Error wrong(const ConfigObject& at, const std::string& found, std::string_view expected) {
  return {ErrorCode::kInvalidArgument, fmt::format("{}: {}, expected {}", at.where(), found, expected)};
}

Status read_events(const ConfigObject& object, RuleOptions& options) {
  const auto names = object.keys();
  if (names.empty() || names.size() > kMaxEvents)
    return fail(wrong(object, object.is_map() ? fmt::format("found {} events", names.size()) : object.found(),
                      fmt::format("a map of 1 to {}: {{opened: {{input: valves, where: open == 1}}}}", kMaxEvents)));
  for (const auto& name : names) {
    const auto value = object.find(name);
    RuleOptions::Event event{.name = name, .input = {}, .condition = "true", .keep = {}, .where = value->where()};
    if (name.empty() || FieldName(name).is_note())
      return fail(wrong(*value, fmt::format("found event {}", in_quotes(name)), "a name without a dot"));
    ConfigReader reader(*value);
    reader.required("input", &event.input);
    reader.optional("where", &event.condition);
    reader.optional("keep", &event.keep);
    MORU_RETURN_IF_ERROR(reader.finish());
    event.keeps_all = !value->find("keep");
    options.events.push_back(std::move(event));
  }
  return {};
}

class RuleReader {
 public:
  RuleReader(const RuleOptions& options, const ConfigObject& at) : at_(at) {
    for (const auto& event : options.events) known_.push_back(event.name);
  }

  Result<RuleOptions::Rule> read(const std::string& name) {
    double within_ms = 0.0;
    std::int64_t at_least = 0;
    std::vector<std::string> sequence;
    std::string after;
    std::string never;
    std::string count;
    ConfigReader reader(at_);
    reader.optional("sequence", &sequence);
    reader.optional("after", &after);
    reader.optional("never", &never);
    reader.optional("count", &count);
    reader.optional("at_least", &at_least, {.min = 1, .max = 10'000});
    reader.required("within_ms", &within_ms, {.min = 0.0, .max = kMaxMs});
    MORU_RETURN_IF_ERROR(reader.finish());
    const bool is_absence = !after.empty() && !never.empty();
    const bool is_count = !count.empty() && at_least > 0;
    const std::size_t told = sequence.size() + (after.empty() ? 0 : 1) + (never.empty() ? 0 : 1) + (count.empty() ? 0 : 1);
    const std::size_t meant = is_absence ? 2 : is_count ? 1 : sequence.size();
    if (told == 0 || told != meant || (at_least > 0 && !is_count))
      return fail(wrong(at_, fmt::format("found rule {} that is not of one kind", in_quotes(name)),
                        "either 'sequence', or 'after' and 'never', or 'count' and 'at_least'"));
    if (told == sequence.size() && (told < 2 || told > kMaxSteps))
      return fail(wrong(at_, fmt::format("found a sequence of {} events", told), fmt::format("2 to {}", kMaxSteps)));
    RuleOptions::Rule rule{.name = name, .events = {}, .within = static_cast<TimeNs>(within_ms * 1e6), .at_least = at_least};
    rule.where = at_.find("within_ms")->where();
    rule.kind = is_absence ? RuleOptions::Kind::kAbsence : is_count ? RuleOptions::Kind::kCount : RuleOptions::Kind::kSequence;
    if (is_absence) sequence = {after, never};
    if (is_count) sequence = {count};
    for (const auto& event : sequence) {
      MORU_ASSIGN_OR_RETURN(const std::size_t index, find(event));
      rule.events.push_back(index);
    }
    return rule;
  }

 private:
  Result<std::size_t> find(const std::string& event) const {
    const auto it = std::ranges::find(known_, event);
    if (it != known_.end()) return static_cast<std::size_t>(it - known_.begin());
    return fail(wrong(at_, fmt::format("found no event {}{}", in_quotes(event), did_you_mean(event, known_)),
                      fmt::format("one of {}", fmt::join(known_, ", "))));
  }

  const ConfigObject& at_;
  std::vector<std::string> known_;
};

}  // namespace

Result<RuleOptions> read_rule_options(const ConfigObject& object) {
  RuleOptions options;
  std::optional<ConfigObject> events;
  std::optional<ConfigObject> rules;
  ConfigReader reader(object);
  reader.required("events", &events);
  reader.required("rules", &rules);
  reader.optional("key", &options.key);
  reader.optional("max_keys", &options.max_keys, {.min = 1, .max = 1e8});
  reader.optional("max_items", &options.max_items, {.min = 1, .max = 1e9});
  reader.optional("max_items_per_key", &options.max_items_per_key, {.min = 1, .max = 1e9});
  MORU_RETURN_IF_ERROR(reader.finish());
  options.where = object.find("key").value_or(object).where();
  MORU_RETURN_IF_ERROR(read_events(*events, options));
  const auto names = rules->keys();
  if (names.empty() || names.size() > kMaxRules)
    return fail(wrong(*rules, rules->is_map() ? fmt::format("found {} rules", names.size()) : rules->found(),
                      fmt::format("a map of 1 to {}: {{stuck: {{after: opened, never: flowing, within_ms: 5000}}}}", kMaxRules)));
  for (const auto& name : names) {
    const auto value = rules->find(name);
    MORU_ASSIGN_OR_RETURN(auto rule, RuleReader(options, *value).read(name));
    options.rules.push_back(std::move(rule));
  }
  return options;
}

}  // namespace moru::edge
