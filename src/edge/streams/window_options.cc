// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/window_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace moru::edge {
namespace {

constexpr std::int64_t kMaxOverlap = 1000;  // windows that one item is in

Status read_outputs(const ConfigObject& object, WindowOptions& options) {
  options.outputs_where = object.where();
  for (const auto& key : object.keys()) {
    const auto value = object.find(key);
    MORU_ASSIGN_OR_RETURN(auto aggregate, Aggregate::parse(value->scalar(), value->where()));
    WindowOptions::Output output{.name = key, .aggregate = std::move(aggregate)};
    if (output.aggregate.kind != Aggregate::Kind::kCount) {
      const FieldName field(output.aggregate.field);
      const auto at = std::ranges::find(options.fields, field);
      output.summary = static_cast<std::size_t>(at - options.fields.begin());
      if (at == options.fields.end()) {
        options.fields.push_back(field);
        options.keeps.push_back(false);
      }
      if (output.aggregate.kind == Aggregate::Kind::kQuantile) options.keeps[output.summary] = true;
    }
    options.outputs.push_back(std::move(output));
  }
  if (!options.outputs.empty()) return {};
  return fail(
      ErrorCode::kInvalidArgument,
      fmt::format("{}: {}, expected a map of fields and aggregates: {{average: mean(value), n: count()}}", object.where(), object.found()));
}

/// Which of the lengths a kind needs, and that no other is given.
Status check_lengths(const ConfigObject& object, const std::string& kind) {
  using Names = std::vector<std::string_view>;
  const Names needed = kind == "tumbling"  ? Names{"size_ms"}
                       : kind == "sliding" ? Names{"size_ms", "step_ms"}
                       : kind == "session" ? Names{"gap_ms"}
                                           : Names{"count"};
  for (const std::string_view name : {"size_ms", "step_ms", "gap_ms", "count"}) {
    const bool wanted = std::ranges::find(needed, name) != needed.end();
    if (object.find(name).has_value() == wanted) continue;
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} '{}' of a {} window, expected {}", object.where(),
                                                         wanted ? "no" : "a", name, kind, wanted ? "one" : "none"));
  }
  return {};
}

}  // namespace

Result<WindowOptions> read_window_options(const ConfigObject& object) {
  WindowOptions options;
  std::string kind = "tumbling";
  double size_ms = 0.0;
  double step_ms = 0.0;
  double gap_ms = 0.0;
  std::vector<std::string> key;
  std::optional<ConfigObject> outputs;
  constexpr NumberRange kLength = {.min = 0.001, .max = 1e11};
  ConfigReader reader(object);
  reader.choice("kind", &kind, {"tumbling", "sliding", "session", "count"});
  reader.optional("size_ms", &size_ms, kLength);
  reader.optional("step_ms", &step_ms, kLength);
  reader.optional("gap_ms", &gap_ms, kLength);
  reader.optional("count", &options.count, {.min = 1, .max = 1e9});
  reader.optional("key", &key);
  reader.optional("max_keys", &options.max_keys, {.min = 1, .max = 1e8});
  reader.required("set", &outputs);
  MORU_RETURN_IF_ERROR(reader.finish());
  MORU_RETURN_IF_ERROR(check_lengths(object, kind));
  MORU_RETURN_IF_ERROR(read_outputs(*outputs, options));
  const auto ns = [](double ms) { return static_cast<TimeNs>(ms * static_cast<double>(kMillisecond)); };
  using Kind = WindowOptions::Kind;
  options.kind = kind == "sliding" ? Kind::kSliding : kind == "session" ? Kind::kSession : kind == "count" ? Kind::kCount : Kind::kTumbling;
  options.size = options.kind == Kind::kSession ? ns(gap_ms) : ns(size_ms);
  options.step = options.kind == Kind::kSliding ? ns(step_ms) : std::max<TimeNs>(options.size, 1);
  if (options.kind == Kind::kSliding && (options.step > options.size || options.size / options.step > kMaxOverlap))
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found size_ms {} and step_ms {}, expected a step of size / {} to size",
                                                         object.where(), size_ms, step_ms, kMaxOverlap));
  options.size_where = object.find(options.kind == Kind::kSession ? "gap_ms" : "size_ms").value_or(object).where();
  options.key_where = object.find("key").value_or(object).where();
  for (const auto& name : key) options.key.emplace_back(name);
  return options;
}

}  // namespace moru::edge
