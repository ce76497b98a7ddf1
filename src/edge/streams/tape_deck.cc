// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/tape_deck.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/text.h"

namespace moru::edge {
namespace {

class Relay final : public Stage {
 public:
  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override { return std::vector<Schema>{inputs.begin(), inputs.end()}; }
  Status open(const StageContext&) override { return {}; }
  Status process(Item&& item, Output& output) override {
    output.emit(std::move(item));
    return {};
  }
};

const StageSpec kRelay{
    .name = "tape",
    .kind = StageKind::kStage,
    .doc = "What a source has emitted, recorded or from a recording.",
    .example = "",
    .create = [](const ConfigObject&) -> Result<std::unique_ptr<Stage>> { return std::make_unique<Relay>(); },
    .light = true,
};

bool is_source(const StreamSpec::StageEntry& entry) { return entry.spec->kind == StageKind::kSource; }

using Outlet = std::pair<std::size_t, std::size_t>;  // a source's index and a port of it

/// Those that are read, in the order of the sources in the file.
std::vector<Outlet> outlets_of(const StreamSpec& spec) {
  std::vector<Outlet> outlets;
  for (const auto& entry : spec.stages) {
    for (const auto& link : entry.links) {
      const Outlet outlet(link.from, link.port);
      if (is_source(spec.stages[link.from]) && std::ranges::find(outlets, outlet) == outlets.end()) outlets.push_back(outlet);
    }
  }
  std::ranges::sort(outlets);
  return outlets;
}

std::vector<std::string> names_of(const StreamSpec& spec) {
  std::vector<std::string> names;
  for (const auto& [source, port] : outlets_of(spec)) names.push_back(tape_name(spec.stages[source], port));
  return names;
}

/// The queue in front of it is the one that its only reader asks for: what is thrown away there is not recorded.
StreamSpec::StageEntry relay_of(const StreamSpec& spec, const Outlet& outlet) {
  const auto& source = spec.stages[outlet.first];
  std::vector<StreamSpec::Link> readers;
  for (const auto& entry : spec.stages) {
    std::ranges::copy_if(entry.links, std::back_inserter(readers),
                         [&](const StreamSpec::Link& link) { return Outlet(link.from, link.port) == outlet; });
  }
  StreamSpec::StageEntry relay = source;  // the places in the file
  relay.name = tape_name(source, outlet.second) + ".tape";
  relay.stage = kRelay.name;
  relay.spec = &kRelay;
  relay.inputs = {tape_name(source, outlet.second)};
  relay.links = {readers.front()};
  if (readers.size() > 1) relay.links.front().queue.reset();
  if (readers.size() > 1) relay.links.front().overflow = OverflowPolicy::kBlock;
  relay.lateness = 0;
  return relay;
}

}  // namespace

std::string tape_name(const StreamSpec::StageEntry& source, std::size_t port) {
  return port == 0 ? source.name : fmt::format("{}.{}", source.name, source.spec->outputs[port]);
}

TimeNs TapeDeck::due(const TapeElement& element) const {
  const double after = static_cast<double>(element.steady) - static_cast<double>(reader->head().steady);
  return static_cast<TimeNs>(std::clamp(after / speed, 0.0, 4e18));
}

Result<TapeDeck> TapeDeck::to_record(const StreamSpec& spec, const Path& path, std::uint64_t max_bytes, Clock& real) {
  TapeHead head{.stream = spec.name, .wall = real.wall_now(), .steady = real.steady_now(), .sources = names_of(spec)};
  TapeDeck deck;
  deck.clock = std::make_shared<TapeClock>(real, head.wall, head.steady);
  MORU_ASSIGN_OR_RETURN(deck.writer, TapeWriter::create(path, head, max_bytes));
  return deck;
}

Result<TapeDeck> TapeDeck::to_replay(const StreamSpec& spec, const Path& path, double speed, Clock& real) {
  TapeDeck deck{.clock = nullptr, .writer = nullptr, .reader = nullptr, .speed = speed};
  MORU_ASSIGN_OR_RETURN(deck.reader, TapeReader::open(path));
  const TapeHead& head = deck.reader->head();
  for (const auto& name : names_of(spec)) {
    if (std::ranges::find(head.sources, name) != head.sources.end()) continue;
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("recording '{}': found no source '{}'{}, expected all of the stream; it has {}", path.string(), name,
                            did_you_mean(name, head.sources), fmt::join(head.sources, ", ")));
  }
  // Times of another boot may be anywhere.
  if (__builtin_sub_overflow(real.steady_now(), head.steady, &deck.shift)) deck.shift = 0;
  deck.clock = std::make_shared<TapeClock>(real, head.wall, head.steady + deck.shift);
  return deck;
}

StreamSpec on_tape(const StreamSpec& spec, const TapeDeck& tape) {
  StreamSpec taped = spec;
  taped.lanes = tape.reader ? LanePlan::kOne : LanePlan::kOneForStages;
  taped.order.clear();
  const auto sources_first = [&](bool sources) {
    for (const std::size_t index : spec.order) {
      if (is_source(spec.stages[index]) == sources) taped.order.push_back(index);
    }
  };
  sources_first(true);
  const auto outlets = outlets_of(spec);
  for (const Outlet& outlet : outlets) {
    taped.order.push_back(taped.stages.size());
    taped.stages.push_back(relay_of(spec, outlet));
  }
  sources_first(false);
  for (std::size_t i = 0; i < spec.stages.size(); ++i) {
    auto& entry = taped.stages[i];
    for (std::size_t input = 0; input < entry.links.size(); ++input) {
      auto& link = entry.links[input];
      const auto found = std::ranges::find(outlets, Outlet(link.from, link.port));
      if (found == outlets.end()) continue;
      link.from = spec.stages.size() + static_cast<std::size_t>(found - outlets.begin());
      link.port = 0;
      entry.inputs[input] = taped.stages[link.from].name;
    }
  }
  return taped;
}

}  // namespace moru::edge
