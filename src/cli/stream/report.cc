// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/stream/verbs.h"
#include "core/json.h"
#include "core/text.h"

namespace moru::cli {
namespace {

template <class T>
T value_of(const Json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end()) return T{};
  if constexpr (std::is_same_v<T, std::string>) {
    return it->is_string() ? it->get<std::string>() : T{};
  } else {
    return it->is_number() ? it->get<T>() : T{};
  }
}

std::vector<Json> rows_of(const Json& report, const char* name) {
  const auto it = report.find(name);
  std::vector<Json> rows;
  if (it == report.end() || !it->is_array()) return rows;
  std::ranges::copy_if(*it, std::back_inserter(rows), [](const Json& row) { return row.is_object(); });
  return rows;
}

std::string counts_text(const Json& row) {
  const auto counts = row.find("dropped");
  std::string text;
  if (counts != row.end() && counts->is_object()) {
    for (const auto& [reason, count] : counts->items()) {
      if (count.is_number()) text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", count.get<std::uint64_t>(), reason);
    }
  }
  return text.empty() ? "0" : text;
}

}  // namespace

std::string stream_report_text(const Json& report) {
  const auto latency = [&](const char* name) { return human_duration_ns(static_cast<std::int64_t>(value_of<double>(report, name) * 1e3)); };
  std::string text = fmt::format("stream {}: {}\n", value_of<std::string>(report, "stream"), value_of<std::string>(report, "state"));
  text += fmt::format("items    {} in {:.1f} s, {} missed\n", value_of<std::uint64_t>(report, "items"), value_of<double>(report, "seconds"),
                      value_of<std::uint64_t>(report, "missed"));
  text += fmt::format("latency  p50 {}, p99 {}\n\n", latency("latency_p50_us"), latency("latency_p99_us"));
  text += fmt::format("{:<24}{:>12}{:>12}{:>12}{:>10}  dropped\n", "link", "in", "out", "in flight", "stored");
  for (const auto& link : rows_of(report, "ledger")) {
    text += fmt::format("{:<24}{:>12}{:>12}{:>12}{:>10}  {}\n", value_of<std::string>(link, "link"), value_of<std::uint64_t>(link, "in"),
                        value_of<std::uint64_t>(link, "out"), value_of<std::uint64_t>(link, "in_flight"),
                        value_of<std::uint64_t>(link, "stored"), counts_text(link));
  }
  text += fmt::format("\n{:<24}{:>12}{:>12}{:>12}{:>10}  dropped\n", "stage", "consumed", "emitted", "used", "held");
  for (const auto& stage : rows_of(report, "stages")) {
    text += fmt::format("{:<24}{:>12}{:>12}{:>12}{:>10}  {}\n", value_of<std::string>(stage, "name"),
                        value_of<std::uint64_t>(stage, "consumed"), value_of<std::uint64_t>(stage, "emitted"),
                        value_of<std::uint64_t>(stage, "used"), value_of<std::uint64_t>(stage, "held"), counts_text(stage));
  }
  for (const auto& stage : rows_of(report, "stages")) {
    const auto name = value_of<std::string>(stage, "name");
    if (const auto waiting = value_of<std::uint64_t>(stage, "unsettled"); waiting > 0)
      text += fmt::format("\nnot acknowledged yet: {} items of {}\n", waiting, name);
    if (const auto overdue = value_of<std::uint64_t>(stage, "overdue"); overdue > 0)
      text += fmt::format("\nlonger than its deadline: {} times {}\n", overdue, name);
    if (const auto stale = value_of<std::string>(stage, "stale"); !stale.empty()) text += fmt::format("\nstale: {}\n", stale);
  }
  if (const auto letters = value_of<std::uint64_t>(report, "dead_letters"); letters > 0)
    text += fmt::format("\ndead letters: {}\n", letters);
  if (const auto error = value_of<std::string>(report, "last_error"); !error.empty()) text += fmt::format("\nlast error: {}\n", error);
  return text;
}

}  // namespace moru::cli
