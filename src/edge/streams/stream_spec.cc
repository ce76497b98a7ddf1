// SPDX-License-Identifier: Apache-2.0
// Reading a stream file. Mistakes are collected, so that one look at the output mends the whole file.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "core/text.h"
#include "edge/streams/entry_options.h"
#include "edge/streams/stream.h"

namespace moru::edge {
namespace {

constexpr std::size_t kMaxStages = 64;      // a thread each
constexpr std::size_t kMaxNameLength = 64;  // it stands in messages and counters

using Table = std::span<const StageSpec* const>;

bool valid_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameLength && std::ranges::all_of(name, [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

const StageSpec* find_in(Table table, std::string_view name) {
  const auto it = std::ranges::find(table, name, [](const StageSpec* spec) { return spec->name; });
  return it == table.end() ? nullptr : *it;
}

/// An entry and where its parts stand, for the checks across entries.
struct ReadEntry {
  StreamSpec::StageEntry entry;
  ConfigObject at;
  ConfigObject inputs_at;
};

/// The options are checked by making the stage, which has no side effects, and throwing it away.
Status check_options(const StreamSpec::StageEntry& entry) {
  if (entry.spec->kind == StageKind::kSource) {
    MORU_RETURN_IF_ERROR(entry.spec->create_source(entry.options));
  } else {
    MORU_RETURN_IF_ERROR(entry.spec->create(entry.options));
  }
  return {};
}

Status read_letters(const std::optional<ConfigObject>& at, std::optional<DeadLetterOptions>& letters) {
  if (!at) return {};
  MORU_ASSIGN_OR_RETURN(letters, read_dead_letters(*at));
  return {};
}

std::optional<ReadEntry> read_entry(const ConfigObject& at, Table table, Mistakes& mistakes) {
  StreamSpec::StageEntry entry{.name = {}, .stage = {}, .spec = nullptr, .options = at, .inputs = {}, .links = {}, .at = at};
  std::optional<ConfigObject> options;
  std::optional<ConfigObject> inputs;
  std::optional<ConfigObject> letters;
  QueueOptions queue;
  TimeOptions times;
  ConfigReader reader(at);
  reader.required("name", &entry.name);
  reader.required("stage", &entry.stage);
  reader.optional("options", &options);
  reader.optional("inputs", &inputs);
  times.read(reader);
  reader.optional("dead_letters", &letters);
  queue.read(reader);
  Status status = reader.finish();
  if (status) status = read_inputs(inputs, queue, entry);
  if (status) status = read_letters(letters, entry.dead_letters);
  if (!status) {
    mistakes.push_back(status.error().message);
    return std::nullopt;
  }
  times.put_into(entry);
  const auto field = [&](std::string_view key) { return at.find(key).value_or(at); };
  if (!valid_name(entry.name))
    mistakes.push_back(mistake(field("name"), fmt::format("found name '{}'", entry.name), "1 to 64 letters, digits, '-' or '_'"));
  entry.spec = find_in(table, entry.stage);
  if (entry.spec == nullptr) {
    std::vector<std::string> known;
    for (const StageSpec* one : table) known.emplace_back(one->name);
    mistakes.push_back(mistake(field("stage"), fmt::format("found unknown stage '{}'{}", entry.stage, did_you_mean(entry.stage, known)),
                               fmt::format("one of {}", fmt::join(known, ", "))));
    return std::nullopt;
  }
  check_times(entry, mistakes);
  if (!options) {
    auto none = ConfigObject::parse("{}", fmt::format("{} (options)", at.where()));
    if (!none) {
      mistakes.push_back(none.error().message);
      return std::nullopt;
    }
    options = *none;
  }
  entry.options = *options;
  if (const auto made = check_options(entry); !made) mistakes.push_back(made.error().in(fmt::format("stage '{}'", entry.name)).message);
  return ReadEntry{std::move(entry), at, field("inputs")};
}

const ReadEntry* find_entry(const std::vector<ReadEntry>& entries, std::string_view name) {
  for (const auto& one : entries) {
    if (one.entry.name == name) return &one;
  }
  return nullptr;
}

/// Finds the stage and port that one input names.
void check_input(const ReadEntry& one, std::string_view input, const std::vector<ReadEntry>& entries, const std::vector<std::string>& names,
                 Mistakes& mistakes) {
  const auto dot = input.find('.');
  const std::string name(input.substr(0, dot));
  if (std::ranges::find(names, name) == names.end()) {
    mistakes.push_back(mistake(one.inputs_at, fmt::format("found unknown input '{}'{}", input, did_you_mean(name, names)),
                               fmt::format("one of {}", fmt::join(names, ", "))));
    return;
  }
  const ReadEntry* from = find_entry(entries, name);  // null when that entry has a mistake of its own
  if (from == nullptr) return;
  if (from->entry.spec->kind == StageKind::kSink) {
    mistakes.push_back(mistake(one.inputs_at,
                               fmt::format("found input '{}', which is a sink ({}) and gives nothing", input, from->entry.stage),
                               "a source or a stage"));
    return;
  }
  if (dot == std::string_view::npos) return;
  const std::vector<std::string> ports(from->entry.spec->outputs.begin(), from->entry.spec->outputs.end());
  const std::string port(input.substr(dot + 1));
  if (std::ranges::find(ports, port) == ports.end()) {
    mistakes.push_back(mistake(one.inputs_at,
                               fmt::format("found input '{}', but '{}' ({}) has no output '{}'{}", input, name, from->entry.stage, port,
                                           did_you_mean(port, ports)),
                               fmt::format("one of {}", fmt::join(ports, ", "))));
  }
}

void check_inputs(const ReadEntry& one, const std::vector<ReadEntry>& entries, const std::vector<std::string>& names, Mistakes& mistakes) {
  const auto& entry = one.entry;
  const bool source = entry.spec->kind == StageKind::kSource;
  if (source && !entry.inputs.empty()) {
    mistakes.push_back(
        mistake(one.inputs_at, fmt::format("found inputs at '{}', which is a source ({})", entry.name, entry.stage), "none"));
    return;
  }
  if (!source && entry.inputs.empty()) {
    mistakes.push_back(mistake(one.at, fmt::format("found no inputs at '{}'", entry.name), "inputs: [name of another stage]"));
  } else if (!source && (entry.inputs.size() < entry.spec->min_inputs || entry.inputs.size() > entry.spec->max_inputs)) {
    mistakes.push_back(mistake(one.inputs_at, fmt::format("found {} inputs at '{}' ({})", entry.inputs.size(), entry.name, entry.stage),
                               fmt::format("{} to {}", entry.spec->min_inputs, entry.spec->max_inputs)));
  }
  std::set<std::string_view> seen;
  for (const auto& input : entry.inputs) {
    if (!seen.insert(input).second) mistakes.push_back(mistake(one.inputs_at, fmt::format("found input '{}' twice", input), "it once"));
    check_input(one, input, entries, names, mistakes);
  }
}

/// "split" of "split.rest"
std::string_view stage_of(std::string_view input) { return input.substr(0, input.find('.')); }

void check_readers(const std::vector<ReadEntry>& entries, Mistakes& mistakes) {
  for (const auto& one : entries) {
    if (one.entry.spec->kind == StageKind::kSink) continue;
    const bool read = std::ranges::any_of(entries, [&](const auto& other) {
      return std::ranges::find(other.entry.inputs, one.entry.name, stage_of) != other.entry.inputs.end();
    });
    if (!read)
      mistakes.push_back(
          mistake(one.at, fmt::format("found nothing that reads from '{}'", one.entry.name), "a stage or a sink with it in its inputs"));
  }
}

/// Takes away every stage whose inputs are all taken away; what is left stands in a cycle or behind one.
void check_cycles(const std::vector<ReadEntry>& entries, Mistakes& mistakes) {
  std::set<std::string_view> done;
  std::vector<const ReadEntry*> left;
  for (const auto& one : entries) left.push_back(&one);
  for (bool moved = true; moved;) {
    moved = std::erase_if(left, [&](const ReadEntry* one) {
              const bool ready = std::ranges::all_of(one->entry.inputs, [&](const auto& input) { return done.contains(stage_of(input)); });
              if (ready) done.insert(one->entry.name);
              return ready;
            }) > 0;
  }
  if (left.empty()) return;
  // Walks back along inputs that are left until a stage comes again: that is the cycle.
  std::vector<const ReadEntry*> path{left.front()};
  while (true) {
    const auto& inputs = path.back()->entry.inputs;
    const auto next = std::ranges::find_if(
        left, [&](const ReadEntry* one) { return std::ranges::find(inputs, one->entry.name, stage_of) != inputs.end(); });
    if (next == left.end()) return;  // an unknown input, told already
    const auto again = std::ranges::find(path, *next);
    if (again == path.end()) {
      path.push_back(*next);
      continue;
    }
    std::string names = (*next)->entry.name;
    for (auto it = path.end(); it != again;) names = fmt::format("{} -> {}", names, (*--it)->entry.name);
    // The walk went from reader to input, so reading it backwards follows the items.
    mistakes.push_back(mistake((*again)->inputs_at, fmt::format("found a cycle {}", names), "stages that only read from earlier ones"));
    return;
  }
}

std::vector<std::string> names_of(const std::vector<ConfigObject>& items, Mistakes& mistakes) {
  std::vector<std::string> names;
  for (const auto& item : items) {
    const auto name = item.find("name");
    if (!name || !name->is_scalar()) continue;
    if (std::ranges::find(names, name->scalar()) != names.end()) {
      mistakes.push_back(mistake(*name, fmt::format("found a second stage of the name '{}'", name->scalar()), "names that differ"));
    }
    names.push_back(name->scalar());
  }
  return names;
}

/// Names to indices, and an order in which each stage comes after those it reads from.
void resolve(StreamSpec& spec) {
  std::vector<bool> done(spec.stages.size(), false);
  for (auto& entry : spec.stages) {
    for (std::size_t i = 0; i < entry.links.size(); ++i) {
      const std::string_view input = entry.inputs[i];
      const auto from = std::ranges::find(spec.stages, stage_of(input), [](const auto& other) { return std::string_view(other.name); });
      entry.links[i].from = static_cast<std::size_t>(from - spec.stages.begin());
      const auto dot = input.find('.');
      if (dot == std::string_view::npos) continue;
      entry.links[i].port =
          static_cast<std::size_t>(std::ranges::find(from->spec->outputs, input.substr(dot + 1)) - from->spec->outputs.begin());
    }
  }
  while (spec.order.size() < spec.stages.size()) {
    for (std::size_t i = 0; i < spec.stages.size(); ++i) {
      if (done[i] || !std::ranges::all_of(spec.stages[i].links, [&](const auto& link) { return done[link.from]; })) continue;
      done[i] = true;
      spec.order.push_back(i);
    }
  }
}

}  // namespace

Result<std::vector<std::vector<Schema>>> bind_stages(const StreamSpec& spec) {
  std::vector<std::vector<Schema>> schemas(spec.stages.size());
  Mistakes mistakes;
  for (const std::size_t index : spec.order) {
    const auto& entry = spec.stages[index];
    std::vector<Schema> inputs;
    bool known = true;
    for (const auto& link : entry.links) {
      known = known && !schemas[link.from].empty();
      if (known) inputs.push_back(schemas[link.from][link.port]);
    }
    if (!known) continue;  // behind a mistake: it would only be told again
    auto bound = bind_stage(entry, inputs);
    if (bound) {
      schemas[index] = std::move(*bound);
    } else {
      mistakes.push_back(bound.error().in(fmt::format("stage '{}'", entry.name)).message);
    }
  }
  if (!mistakes.empty()) return fail(ErrorCode::kInvalidArgument, fmt::format("{}", fmt::join(mistakes, "\n")));
  return schemas;
}

Result<StreamSpec> read_stream(const ConfigObject& document, std::span<const StageSpec* const> table) {
  MORU_ASSIGN_OR_RETURN(const auto declared, read_declared(document, "Stream"));
  std::optional<ConfigObject> stages;
  std::optional<ConfigObject> letters;
  ConfigReader reader(declared.spec);
  reader.required("stages", &stages);
  reader.optional("dead_letters", &letters);
  MORU_RETURN_IF_ERROR(reader.finish());
  const auto items = stages->items();
  if (items.empty() || items.size() > kMaxStages) {
    return fail(ErrorCode::kInvalidArgument,
                mistake(*stages, items.empty() ? stages->found() : fmt::format("found {} stages", items.size()),
                        fmt::format("a list of 1 to {} stages", kMaxStages)));
  }
  Mistakes mistakes;
  if (!valid_name(declared.name)) {
    mistakes.push_back(mistake(document, fmt::format("found metadata.name '{}'", declared.name), "1 to 64 letters, digits, '-' or '_'"));
  }
  const auto names = names_of(items, mistakes);
  std::vector<ReadEntry> entries;
  for (const auto& item : items) {
    if (auto entry = read_entry(item, table, mistakes)) entries.push_back(std::move(*entry));
  }
  for (const auto& one : entries) check_inputs(one, entries, names, mistakes);
  // These look at the stream as a whole and would only repeat what is wrong with an entry.
  if (mistakes.empty()) check_cycles(entries, mistakes);
  if (mistakes.empty()) check_readers(entries, mistakes);
  if (mistakes.empty() && std::ranges::none_of(entries, [](const auto& one) { return one.entry.spec->kind == StageKind::kSource; })) {
    mistakes.push_back(mistake(*stages, "found no source", "one at least"));
  }
  if (!mistakes.empty()) return fail(ErrorCode::kInvalidArgument, fmt::format("{}", fmt::join(mistakes, "\n")));
  StreamSpec spec{.name = declared.name, .stages = {}, .order = {}};
  MORU_RETURN_IF_ERROR(read_letters(letters, spec.dead_letters));
  for (auto& one : entries) spec.stages.push_back(std::move(one.entry));
  resolve(spec);
  MORU_RETURN_IF_ERROR(bind_stages(spec));
  return spec;
}

}  // namespace moru::edge
