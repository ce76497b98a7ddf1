// SPDX-License-Identifier: Apache-2.0
#include "runtime/benchmark/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/plot.h"
#include "core/text.h"

namespace moru::runtime {
namespace {

using Rows = std::vector<const BenchmarkRow*>;

constexpr std::string_view kReference = "reference";

double us(TimeNs ns) { return static_cast<double>(ns) / 1e3; }

std::string plural(std::int64_t count, std::string_view what) { return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s"); }

/// Backend, with what the rows differ in beside it.
std::string label_of(const BenchmarkRow& row, bool threads, bool batches) {
  std::string label = row.backend;
  if (threads) label += ", " + plural(row.threads, "thread");
  if (batches) label += fmt::format(", batch {}", row.batch);
  return label;
}

/// The reference is no contestant: it would be so long a bar that the others could not be told apart.
Rows contestants(const Rows& rows) {
  Rows some;
  std::ranges::copy_if(rows, std::back_inserter(some),
                       [](const BenchmarkRow* row) { return row->latency && !std::string_view(row->backend).starts_with(kReference); });
  if (some.empty()) std::ranges::copy_if(rows, std::back_inserter(some), [](const BenchmarkRow* row) { return row->latency.has_value(); });
  return some;
}

template <class Key>
bool differ(const Rows& rows, const Key& key) {
  return std::ranges::any_of(rows, [&](const BenchmarkRow* row) { return key(*row) != key(*rows.front()); });
}

std::string bars(const Rows& rows, bool threads, bool batches) {
  std::vector<PlotBar> all;
  for (const BenchmarkRow* row : rows) {
    all.push_back({.label = label_of(*row, threads, batches),
                   .value = us(row->latency->p50),
                   .whisker = us(row->latency->p99),
                   .note = fmt::format("{} / {}", human_duration_ns(row->latency->p50), human_duration_ns(row->latency->p99)),
                   .good = row->ok});
  }
  return draw_bars("One run: p50, and p99 as whisker (p50 / p99)", "microseconds", all);
}

/// A line a backend over what was swept; `other` is held at each of its values.
template <class X, class Other, class Y>
std::string sweeps(const Rows& rows, const std::string& title, const std::string& x_title, const std::string& y_title, const X& x,
                   const Other& other, const Y& y) {
  std::map<std::string, std::map<std::string, PlotSeries>> plots;
  for (const BenchmarkRow* row : rows) {
    PlotSeries& series = plots[other(*row)][row->backend];
    series.name = row->backend;
    series.points.emplace_back(x(*row), y(*row));
  }
  std::string html;
  for (auto& [held, by_backend] : plots) {
    Plot plot{.title = fmt::format("{}, {}", title, held), .x = {.title = x_title}, .y = {.title = y_title, .min = 0.0}};
    for (auto& [backend, series] : by_backend) {
      std::ranges::sort(series.points);
      plot.series.push_back(std::move(series));
    }
    html += "<div>" + draw_plot(plot) + "</div>\n";
  }
  return html;
}

std::string plots_of(const Rows& all) {
  const Rows rows = contestants(all);
  if (rows.empty()) return {};
  const auto threads = [](const BenchmarkRow& row) { return static_cast<double>(row.threads); };
  const auto batch = [](const BenchmarkRow& row) { return static_cast<double>(row.batch); };
  const bool many_threads = differ(rows, threads);
  const bool many_batches = differ(rows, batch);
  std::string html = "<div class=\"plots\">\n<div>" + bars(rows, many_threads, many_batches) + "</div>\n";
  if (many_threads) {
    html += sweeps(
        rows, "Threads", "threads", "p50, microseconds", threads,
        [](const BenchmarkRow& row) { return fmt::format("batch {}", row.batch); },
        [](const BenchmarkRow& row) { return us(row.latency->p50); });
  }
  if (many_batches) {
    html += sweeps(
        rows, "Batches", "batch", "p50 / batch, microseconds", batch, [](const BenchmarkRow& row) { return plural(row.threads, "thread"); },
        [](const BenchmarkRow& row) { return us(row.latency->p50) / static_cast<double>(row.batch); });
  }
  return html + "</div>\n";
}

std::string table_row(const BenchmarkRow& row) {
  const auto time = [&](TimeNs Latency::* field) { return row.latency ? human_duration_ns((*row.latency).*field) : "–"; };
  const std::string_view verdict = row.ok ? "ok" : row.latency ? "wrong" : "failed";
  std::string html = fmt::format(
      "<tr{}><td class=\"l\">{}</td><td class=\"l\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
      "<td>{}</td><td>{}</td><td>{}</td><td class=\"l {}\">{}</td></tr>\n",
      row.reason.empty() ? "" : " class=\"has-why\"", escape_html(row.backend), escape_html(row.device), row.threads, row.batch,
      time(&Latency::p50), time(&Latency::p90), time(&Latency::p99), time(&Latency::min),
      row.latency ? std::to_string(row.latency->runs) : "–", row.load_ms ? fmt::format("{:.1f} ms", *row.load_ms) : "–",
      row.peak_rss_bytes ? human_bytes(*row.peak_rss_bytes) : "–", row.nmse ? fmt::format("{:.1e}", *row.nmse) : "–",
      row.ok ? "good" : "wrong", verdict);
  if (!row.reason.empty()) html += fmt::format("<tr><td class=\"why\" colspan=\"13\">{}</td></tr>\n", escape_html(row.reason));
  return html;
}

std::string table_of(const Rows& rows) {
  std::string html =
      "<div class=\"wide\"><table>\n<tr><th class=\"l\">backend</th><th class=\"l\">device</th><th>threads</th><th>batch</th><th>p50</th>"
      "<th>p90</th><th>p99</th><th>min</th><th>runs</th><th>load</th><th>memory</th><th>NMSE</th><th class=\"l\">answer</th></tr>\n";
  for (const BenchmarkRow* row : rows) {
    if (!row->absent) html += table_row(*row);
  }
  return html + "</table></div>\n";
}

}  // namespace

std::string to_page(const std::vector<BenchmarkRow>& rows, const PageFacts& facts) {
  std::vector<std::string> models;
  std::map<std::string, Rows> by_model;
  for (const BenchmarkRow& row : rows) {
    if (by_model[row.model].empty()) models.push_back(row.model);
    by_model[row.model].push_back(&row);
  }
  std::string html = start_page("moru bench", facts);
  for (const std::string& model : models) {
    html += fmt::format("<h2>{}</h2>\n", escape_html(model)) + plots_of(by_model[model]) + table_of(by_model[model]);
  }
  for (const std::string& reason : absences(rows)) html += fmt::format("<p>Not here: {}</p>\n", escape_html(reason));
  return html +
         end_page(
             "Memory is the peak over the process before the backend's library was loaded. NMSE is the distance from the reference's "
             "answers. The reference stands in the tables only, where there are others.");
}

}  // namespace moru::runtime
