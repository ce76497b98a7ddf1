// SPDX-License-Identifier: Apache-2.0
// Rows as JSON and as a table.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/json.h"
#include "core/text.h"
#include "runtime/benchmark/benchmark.h"

namespace moru::runtime {
namespace {

constexpr std::string_view kWhere = "benchmark row";

Json microseconds(const BenchmarkRow& row, TimeNs Latency::* field) {
  return row.latency ? Json(static_cast<double>((*row.latency).*field) / 1e3) : Json();
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json distance(const std::optional<double>& nmse) {
  if (!nmse) return {};
  return std::isfinite(*nmse) ? Json(*nmse) : Json("inf");
}

/// Null is nothing.
template <class T>
Status read_optional(const Json& json, std::string_view key, std::optional<T>* out) {
  MORU_ASSIGN_OR_RETURN(const Json value, json_field<Json>(json, key, kWhere));
  if (value.is_null()) return {};
  MORU_ASSIGN_OR_RETURN(*out, json_field<T>(json, key, kWhere));
  return {};
}

Status read_time(const Json& json, std::string_view key, TimeNs* out) {
  MORU_ASSIGN_OR_RETURN(const auto value, json_field<double>(json, key, kWhere));
  constexpr double kMostUs = 1e15;
  if (!(value >= 0.0 && value <= kMostUs)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} in '{}', expected microseconds", kWhere, value, key));
  }
  *out = std::llround(value * 1e3);
  return {};
}

Status read_latency(const Json& json, BenchmarkRow* row) {
  if (json_or<Json>(json, "runs", Json()).is_null()) return {};
  Latency latency;
  MORU_ASSIGN_OR_RETURN(latency.runs, json_field<std::int64_t>(json, "runs", kWhere));
  MORU_RETURN_IF_ERROR(read_time(json, "p50_us", &latency.p50));
  MORU_RETURN_IF_ERROR(read_time(json, "p90_us", &latency.p90));
  MORU_RETURN_IF_ERROR(read_time(json, "p99_us", &latency.p99));
  MORU_RETURN_IF_ERROR(read_time(json, "min_us", &latency.min));
  row->latency = latency;
  return {};
}

std::string line(const BenchmarkRow& row, std::size_t model_width, std::size_t backend_width) {
  std::string text = fmt::format("{:{}}  {:{}} {:>7} {:>6}", row.model, model_width, row.backend, backend_width, row.threads, row.batch);
  if (row.latency) {
    const Latency& took = *row.latency;
    text += fmt::format(" {:>9} {:>9} {:>9} {:>9} {:>8} {:>9.1f} {:>9} {:>8}", human_duration_ns(took.p50), human_duration_ns(took.p90),
                        human_duration_ns(took.p99), human_duration_ns(took.min), took.runs, row.load_ms.value_or(0.0),
                        row.peak_rss_bytes ? human_bytes(*row.peak_rss_bytes) : "-", row.nmse ? fmt::format("{:.1e}", *row.nmse) : "-");
  }
  return text + fmt::format("{}{}\n", row.latency ? "  " : " ", row.ok ? "ok" : row.latency ? "WRONG" : "failed");
}

}  // namespace

Json to_json(const BenchmarkRow& row) {
  return {{"model", row.model},
          {"backend", row.backend},
          {"device", row.device},
          {"isa", row.isa},
          {"threads", row.threads},
          {"batch", row.batch},
          {"p50_us", microseconds(row, &Latency::p50)},
          {"p90_us", microseconds(row, &Latency::p90)},
          {"p99_us", microseconds(row, &Latency::p99)},
          {"min_us", microseconds(row, &Latency::min)},
          {"runs", row.latency ? Json(row.latency->runs) : Json()},
          {"load_ms", or_null(row.load_ms)},
          {"peak_rss_bytes", or_null(row.peak_rss_bytes)},
          {"nmse", distance(row.nmse)},
          {"ok", row.ok},
          {"reason", row.reason}};
}

Result<BenchmarkRow> read_row(const Json& json) {
  BenchmarkRow row;
  MORU_ASSIGN_OR_RETURN(row.model, json_field<std::string>(json, "model", kWhere));
  MORU_ASSIGN_OR_RETURN(row.backend, json_field<std::string>(json, "backend", kWhere));
  MORU_ASSIGN_OR_RETURN(row.device, json_field<std::string>(json, "device", kWhere));
  MORU_ASSIGN_OR_RETURN(row.isa, json_field<std::string>(json, "isa", kWhere));
  MORU_ASSIGN_OR_RETURN(row.threads, json_field<int>(json, "threads", kWhere));
  MORU_ASSIGN_OR_RETURN(row.batch, json_field<std::int64_t>(json, "batch", kWhere));
  MORU_RETURN_IF_ERROR(read_latency(json, &row));
  MORU_RETURN_IF_ERROR(read_optional(json, "load_ms", &row.load_ms));
  MORU_RETURN_IF_ERROR(read_optional(json, "peak_rss_bytes", &row.peak_rss_bytes));
  if (json_or<std::string>(json, "nmse", "") == "inf") {
    row.nmse = std::numeric_limits<double>::infinity();
  } else {
    MORU_RETURN_IF_ERROR(read_optional(json, "nmse", &row.nmse));
  }
  MORU_ASSIGN_OR_RETURN(row.ok, json_field<bool>(json, "ok", kWhere));
  MORU_ASSIGN_OR_RETURN(row.reason, json_field<std::string>(json, "reason", kWhere));
  return row;
}

std::vector<std::string> absences(const std::vector<BenchmarkRow>& rows) {
  std::vector<std::string> reasons;
  for (const BenchmarkRow& row : rows) {
    if (row.absent && std::ranges::find(reasons, row.reason) == reasons.end()) reasons.push_back(row.reason);
  }
  return reasons;
}

std::string to_table(const std::vector<BenchmarkRow>& rows) {
  std::size_t model_width = 5;
  std::size_t backend_width = 11;
  for (const BenchmarkRow& row : rows) {
    model_width = std::max(model_width, row.model.size());
    backend_width = std::max(backend_width, row.backend.size());
  }
  std::string text =
      fmt::format("{:{}}  {:{}} {:>7} {:>6} {:>9} {:>9} {:>9} {:>9} {:>8} {:>9} {:>9} {:>8}\n", "model", model_width, "backend",
                  backend_width, "threads", "batch", "p50", "p90", "p99", "min", "runs", "load ms", "memory", "nmse");
  for (const BenchmarkRow& row : rows) {
    if (row.absent) continue;
    text += line(row, model_width, backend_width);
    if (!row.reason.empty()) text += fmt::format("{:{}}    {}\n", "", model_width, row.reason);
  }
  for (const std::string& reason : absences(rows)) text += fmt::format("not here: {}\n", reason);
  return text;
}

}  // namespace moru::runtime
