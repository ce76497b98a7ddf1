// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "cli/stream/verbs.h"
#include "core/json.h"
#include "core/process.h"
#include "core/text.h"
#include "edge/streams/control_socket.h"

namespace moru::cli {
namespace {

struct Options {
  std::string state;
  double interval_s = 1.0;
  bool once = false;
  Format format = Format::kText;
};

const Json* row_of(const Json& report, const char* table, const char* key, const std::string& name) {
  const auto rows = report.find(table);
  if (rows == report.end() || !rows->is_array()) return nullptr;
  for (const auto& row : *rows) {
    if (row.is_object() && json_or<std::string>(row, key, "") == name) return &row;
  }
  return nullptr;
}

std::uint64_t dropped_of(const Json& row) {
  std::uint64_t total = 0;
  const auto dropped = row.find("dropped");
  if (dropped == row.end() || !dropped->is_object()) return 0;
  for (const auto& [reason, count] : dropped->items()) total += count.is_number_unsigned() ? count.get<std::uint64_t>() : 0;
  return total;
}

/// How fast the counts of `row` grow. A stream that was started again counts from 0.
struct Rates {
  const Json* row;
  const Json* before;
  double seconds;
  double of(const char* count) const {
    const auto now = json_or<std::uint64_t>(*row, count, 0);
    const auto then = before == nullptr ? 0 : json_or<std::uint64_t>(*before, count, 0);
    return seconds > 0.0 && now > then ? static_cast<double>(now - then) / seconds : 0.0;
  }
  double of_dropped() const {
    const auto now = dropped_of(*row);
    const auto then = before == nullptr ? 0 : dropped_of(*before);
    return seconds > 0.0 && now > then ? static_cast<double>(now - then) / seconds : 0.0;
  }
};

/// The report with the rates since the one before put into its rows.
Json with_rates(Json report, const Json& before) {
  const double seconds = json_or<double>(report, "seconds", 0.0) - json_or<double>(before, "seconds", 0.0);
  const auto each = [&](const char* table, const char* key, std::initializer_list<const char*> counts) {
    const auto rows = report.find(table);
    if (rows == report.end() || !rows->is_array()) return;
    for (auto& row : *rows) {
      if (!row.is_object()) continue;
      const Rates rates{&row, row_of(before, table, key, json_or<std::string>(row, key, "")), seconds};
      Json made = Json::object();
      for (const char* count : counts) made[fmt::format("{}_per_second", count)] = rates.of(count);
      made["dropped_per_second"] = rates.of_dropped();
      row.update(made);
    }
  };
  each("stages", "name", {"consumed", "emitted"});
  each("ledger", "link", {"in", "out"});
  return report;
}

std::string rate_text(const Json& row, const char* name) {
  const double rate = json_or<double>(row, name, 0.0);
  return rate < 10.0 && rate > 0.0 ? fmt::format("{:.1f}", rate) : fmt::format("{:.0f}", rate);
}

std::string time_text(const Json& row, const char* name) {
  return row.contains(name) ? human_duration_ns(std::llround(json_or<double>(row, name, 0.0) * 1e3)) : "-";
}

std::string reasons_text(const Json& row) {
  std::string text;
  const auto dropped = row.find("dropped");
  if (dropped == row.end() || !dropped->is_object()) return text;
  for (const auto& [reason, count] : dropped->items()) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count.dump(), reason);
  return text;
}

std::string table(const Json& report) {
  std::string text =
      fmt::format("stream {}: {}   items {}   missed {}   latency p50 {}, p99 {}\n\n", json_or<std::string>(report, "stream", ""),
                  json_or<std::string>(report, "state", ""), json_or<std::uint64_t>(report, "items", 0),
                  json_or<std::uint64_t>(report, "missed", 0), time_text(report, "latency_p50_us"), time_text(report, "latency_p99_us"));
  text += fmt::format("{:<20}{:>11}{:>11}{:>8}{:>11}{:>11}{:>11}{:>10}  {}\n", "stage", "in/s", "out/s", "held", "busy p50", "busy p99",
                      "age p99", "drops/s", "dropped");
  for (const auto& row : report.value("stages", Json::array())) {
    if (!row.is_object()) continue;
    text += fmt::format("{:<20}{:>11}{:>11}{:>8}{:>11}{:>11}{:>11}{:>10}  {}{}\n", json_or<std::string>(row, "name", ""),
                        rate_text(row, "consumed_per_second"), rate_text(row, "emitted_per_second"), json_or<std::uint64_t>(row, "held", 0),
                        time_text(row, "busy_p50_us"), time_text(row, "busy_p99_us"), time_text(row, "age_p99_us"),
                        rate_text(row, "dropped_per_second"), reasons_text(row),
                        json_or<std::string>(row, "stale", "").empty() ? "" : "  STALE");
  }
  text += fmt::format("\n{:<31}{:>11}{:>11}{:>8}{:>10}  {}\n", "link", "in/s", "out/s", "queue", "drops/s", "dropped");
  for (const auto& row : report.value("ledger", Json::array())) {
    if (!row.is_object()) continue;
    text += fmt::format("{:<31}{:>11}{:>11}{:>8}{:>10}  {}\n", json_or<std::string>(row, "link", ""), rate_text(row, "in_per_second"),
                        rate_text(row, "out_per_second"), json_or<std::uint64_t>(row, "in_flight", 0), rate_text(row, "dropped_per_second"),
                        reasons_text(row));
  }
  if (const auto error = json_or<std::string>(report, "last_error", ""); !error.empty()) text += fmt::format("\nlast error: {}\n", error);
  return text;
}

Outcome top(const Options& options) {
  MORU_ASSIGN_OR_RETURN(auto client, edge::ControlClient::connect(options.state));
  MORU_ASSIGN_OR_RETURN(Json before, client.ask({{"ask", "state"}}));
  const auto interval = static_cast<TimeNs>(options.interval_s * static_cast<double>(kSecond));
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  while (!wait_for_stop(interval)) {
    auto report = client.ask({{"ask", "state"}});
    if (!report && report.error().code == ErrorCode::kUnavailable && !options.once) return kDone;  // the stream has ended
    if (!report) return fail(report.error());
    const Json rated = with_rates(*report, before);
    before = std::move(*report);
    if (options.format == Format::kJson) {
      options.once ? print_json(rated) : print_text(rated.dump() + "\n");
    } else {
      print_text((terminal && !options.once ? "\x1b[H\x1b[J" : "") + table(rated));
    }
    if (options.once) return kDone;
  }
  return kInterrupted;
}

}  // namespace

void add_stream_top(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  CLI::App* command = app.add_subcommand("top", "Show rates, queues, times and drops of a running stream");
  command->add_option("state", options.state, "The folder that the stream was given as --state")->required();
  command->add_option("--interval", options.interval_s, "Seconds between two looks")
      ->check(CLI::Range(0.05, 3600.0))
      ->capture_default_str();
  command->add_flag("--once", options.once, "One look, and the end");
  add_format_option(*command, &options.format);
  command->footer("Example:\n  moru stream top line.state");
  command->callback([run] { *run = [] { return top(options); }; });
}

}  // namespace moru::cli
