// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/entry_options.h"

#include <fmt/format.h>

namespace moru::edge {
namespace {

constexpr double kMaxQueue = 65536;         // items
constexpr std::size_t kQueueOfPolicy = 64;  // items of a link that says what to do when it is full, but not when that is
constexpr double kMiB = 1024.0 * 1024.0;

OverflowPolicy policy_of(std::string_view word) {
  if (word == "drop_oldest") return OverflowPolicy::kDropOldest;
  if (word == "spill") return OverflowPolicy::kSpill;
  return word == "sample" ? OverflowPolicy::kSample : OverflowPolicy::kBlock;
}

/// `spill: {folder: PATH, limit_mb: 256}`
Status read_spill(const std::optional<ConfigObject>& spill, StreamSpec::Link& link) {
  if (!spill) return {};
  if (link.overflow != OverflowPolicy::kSpill)
    return fail(ErrorCode::kInvalidArgument, mistake(*spill, "found 'spill'", "it with overflow: spill only"));
  double limit_mb = static_cast<double>(link.spill_bytes) / kMiB;
  ConfigReader reader(*spill);
  reader.optional("folder", &link.spill_folder);
  reader.optional("limit_mb", &limit_mb, {.min = 1.0, .max = 1e6});
  MORU_RETURN_IF_ERROR(reader.finish());
  link.spill_bytes = static_cast<std::uint64_t>(limit_mb * kMiB);
  return {};
}

Result<StreamSpec::Link> link_of(const QueueOptions& own, const QueueOptions& common) {
  StreamSpec::Link link;
  const auto queue = own.queue != 0 ? own.queue : common.queue;
  const auto& overflow = own.overflow.empty() ? common.overflow : own.overflow;
  if (queue != 0) link.queue = static_cast<std::size_t>(queue);
  // A policy needs a queue to act on.
  if (!overflow.empty() && queue == 0) link.queue = kQueueOfPolicy;
  link.overflow = policy_of(overflow);
  const bool its_own = own.spill || (!own.overflow.empty() && link.overflow != OverflowPolicy::kSpill);
  MORU_RETURN_IF_ERROR(read_spill(its_own ? own.spill : common.spill, link));
  return link;
}

}  // namespace

std::string mistake(const ConfigObject& at, std::string_view found, std::string_view expected) {
  return fmt::format("{}: {}, expected {}", at.where(), found, expected);
}

void QueueOptions::read(ConfigReader& reader) {
  reader.optional("queue", &queue, {.min = 1, .max = kMaxQueue});
  reader.choice("overflow", &overflow, {"block", "drop_oldest", "sample", "spill"});
  reader.optional("spill", &spill);
}

Status read_inputs(const std::optional<ConfigObject>& inputs, const QueueOptions& common, StreamSpec::StageEntry& entry) {
  if (!inputs) return {};
  if (!inputs->is_list()) {
    return fail(ErrorCode::kInvalidArgument,
                mistake(*inputs, fmt::format("{} for 'inputs'", inputs->found()), "a list of names of other stages"));
  }
  for (const auto& input : inputs->items()) {
    std::string from;
    QueueOptions own;
    if (input.is_map()) {
      ConfigReader reader(input);
      reader.required("from", &from);
      own.read(reader);
      MORU_RETURN_IF_ERROR(reader.finish());
    } else {
      MORU_ASSIGN_OR_RETURN(from, input.as_string());
    }
    entry.inputs.push_back(std::move(from));
    MORU_ASSIGN_OR_RETURN(auto link, link_of(own, common));
    entry.links.push_back(std::move(link));
  }
  return {};
}

void TimeOptions::read(ConfigReader& reader) {
  reader.optional("lateness_ms", &lateness_ms, {.min = 0.0, .max = 1e9});
  reader.optional("max_ahead_ms", &max_ahead_ms, {.min = 0.0, .max = 1e11});
  reader.optional("idle_ms", &idle_ms, {.min = 0.0, .max = 1e9});
  reader.optional("deadline_ms", &deadline_ms, {.min = 0.0, .max = 1e9});
}

void TimeOptions::put_into(StreamSpec::StageEntry& entry) const {
  const auto ns = [](double ms) { return static_cast<TimeNs>(ms * static_cast<double>(kMillisecond)); };
  entry.lateness = ns(lateness_ms);
  entry.max_ahead = ns(max_ahead_ms);
  entry.idle = ns(idle_ms);
  entry.deadline = ns(deadline_ms);
}

void check_times(const StreamSpec::StageEntry& entry, Mistakes& mistakes) {
  const bool source = entry.spec->kind == StageKind::kSource;
  const auto check = [&](std::string_view key, TimeNs value, bool of_source) {
    if (value == 0 || source == of_source) return;
    mistakes.push_back(mistake(entry.at.find(key).value_or(entry.at), fmt::format("found {} at '{}'", key, entry.name),
                               of_source ? "it at a source only" : "it at a stage or sink only"));
  };
  check("lateness_ms", entry.lateness, true);
  check("max_ahead_ms", entry.max_ahead, true);
  check("idle_ms", entry.idle, true);
  check("deadline_ms", entry.deadline, false);
}

}  // namespace moru::edge
