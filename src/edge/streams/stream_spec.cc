// SPDX-License-Identifier: Apache-2.0
// Reading a stream file. Mistakes are collected, so that one look at the output mends the whole file.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "core/text.h"
#include "edge/streams/stream.h"

namespace moru::edge {
namespace {

constexpr std::size_t kMaxStages = 64;      // a thread each
constexpr double kMaxQueue = 65536;         // items
constexpr std::size_t kMaxNameLength = 64;  // it stands in messages and counters

using Mistakes = std::vector<std::string>;
using Table = std::span<const StageSpec* const>;

std::string mistake(const ConfigObject& at, std::string_view found, std::string_view expected) {
  return fmt::format("{}: {}, expected {}", at.where(), found, expected);
}

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

std::optional<ReadEntry> read_entry(const ConfigObject& at, Table table, Mistakes& mistakes) {
  std::string name;
  std::string stage;
  std::optional<ConfigObject> options;
  std::vector<std::string> inputs;
  std::int64_t queue = 64;
  std::string overflow = "block";
  ConfigReader reader(at);
  reader.required("name", &name);
  reader.required("stage", &stage);
  reader.optional("options", &options);
  reader.optional("inputs", &inputs);
  reader.optional("queue", &queue, {.min = 1, .max = kMaxQueue});
  reader.choice("overflow", &overflow, {"block", "drop_oldest"});
  if (const auto status = reader.finish(); !status) {
    mistakes.push_back(status.error().message);
    return std::nullopt;
  }
  const auto field = [&](std::string_view key) { return at.find(key).value_or(at); };
  if (!valid_name(name))
    mistakes.push_back(mistake(field("name"), fmt::format("found name '{}'", name), "1 to 64 letters, digits, '-' or '_'"));
  const StageSpec* spec = find_in(table, stage);
  if (spec == nullptr) {
    std::vector<std::string> known;
    for (const StageSpec* one : table) known.emplace_back(one->name);
    mistakes.push_back(mistake(field("stage"), fmt::format("found unknown stage '{}'{}", stage, did_you_mean(stage, known)),
                               fmt::format("one of {}", fmt::join(known, ", "))));
    return std::nullopt;
  }
  if (!options) {
    auto none = ConfigObject::parse("{}", fmt::format("{} (options)", at.where()));
    if (!none) {
      mistakes.push_back(none.error().message);
      return std::nullopt;
    }
    options = *none;
  }
  StreamSpec::StageEntry entry{.name = name,
                               .stage = stage,
                               .spec = spec,
                               .options = *options,
                               .inputs = std::move(inputs),
                               .queue = queue,
                               .overflow = overflow == "block" ? OverflowPolicy::kBlock : OverflowPolicy::kDropOldest};
  if (const auto status = check_options(entry); !status) mistakes.push_back(status.error().in(fmt::format("stage '{}'", name)).message);
  return ReadEntry{std::move(entry), at, field("inputs")};
}

const ReadEntry* find_entry(const std::vector<ReadEntry>& entries, std::string_view name) {
  for (const auto& one : entries) {
    if (one.entry.name == name) return &one;
  }
  return nullptr;
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
  }
  std::set<std::string_view> seen;
  for (const auto& input : entry.inputs) {
    if (!seen.insert(input).second) mistakes.push_back(mistake(one.inputs_at, fmt::format("found input '{}' twice", input), "it once"));
    if (std::ranges::find(names, input) == names.end()) {
      mistakes.push_back(mistake(one.inputs_at, fmt::format("found unknown input '{}'{}", input, did_you_mean(input, names)),
                                 fmt::format("one of {}", fmt::join(names, ", "))));
      continue;
    }
    const ReadEntry* from = find_entry(entries, input);  // null when that entry has a mistake of its own
    if (from != nullptr && from->entry.spec->kind == StageKind::kSink) {
      mistakes.push_back(mistake(one.inputs_at,
                                 fmt::format("found input '{}', which is a sink ({}) and gives nothing", input, from->entry.stage),
                                 "a source or a stage"));
    }
  }
}

void check_readers(const std::vector<ReadEntry>& entries, Mistakes& mistakes) {
  for (const auto& one : entries) {
    if (one.entry.spec->kind == StageKind::kSink) continue;
    const bool read = std::ranges::any_of(
        entries, [&](const auto& other) { return std::ranges::find(other.entry.inputs, one.entry.name) != other.entry.inputs.end(); });
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
              const bool ready = std::ranges::all_of(one->entry.inputs, [&](const auto& input) { return done.contains(input); });
              if (ready) done.insert(one->entry.name);
              return ready;
            }) > 0;
  }
  if (left.empty()) return;
  // Walks back along inputs that are left until a stage comes again: that is the cycle.
  std::vector<const ReadEntry*> path{left.front()};
  while (true) {
    const auto& inputs = path.back()->entry.inputs;
    const auto next =
        std::ranges::find_if(left, [&](const ReadEntry* one) { return std::ranges::find(inputs, one->entry.name) != inputs.end(); });
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

}  // namespace

Result<StreamSpec> read_stream(const ConfigObject& document, std::span<const StageSpec* const> table) {
  MORU_ASSIGN_OR_RETURN(const auto declared, read_declared(document, "Stream"));
  std::optional<ConfigObject> stages;
  ConfigReader reader(declared.spec);
  reader.required("stages", &stages);
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
  StreamSpec spec{.name = declared.name, .stages = {}};
  for (auto& one : entries) spec.stages.push_back(std::move(one.entry));
  return spec;
}

}  // namespace moru::edge
