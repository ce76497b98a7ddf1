// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/roofline_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/plot.h"
#include "core/text.h"

namespace moru::runtime {
namespace {

double gmacs(const RooflineStep& step) { return static_cast<double>(step.work.macs) / step.ns; }
double macs_per_byte(const RooflineStep& step) {
  return static_cast<double>(step.work.macs) / static_cast<double>(std::max<std::size_t>(1, step.bytes()));
}

bool has_point(const RooflineStep& step) { return step.work.macs > 0 && step.ns > 0; }

/// A roof: as fast as the level's bytes come, until the products are the limit.
PlotSeries roof(const MemoryLevel& level, double peak, double from, double to) {
  const double knee = peak / level.bytes_per_second;
  PlotSeries series{.name = level.name, .points = {{from, std::min(peak, from * level.bytes_per_second) / 1e9}}};
  if (knee > from && knee < to) series.points.emplace_back(knee, peak / 1e9);
  series.points.emplace_back(to, std::min(peak, to * level.bytes_per_second) / 1e9);
  return series;
}

std::string roofs(const Roofline& roofline, const Peaks& peaks, bool on_levels) {
  PlotSeries steps{.name = "steps", .points = {}, .markers = true};
  for (const RooflineStep& step : roofline.steps) {
    if (has_point(step) && step.work.on_levels == on_levels) steps.points.emplace_back(macs_per_byte(step), gmacs(step));
  }
  if (steps.points.empty()) return {};
  const auto [least, most] = std::ranges::minmax_element(steps.points);
  const double from = std::min(0.1, least->first / 2);
  const double to = std::max(1000.0, most->first * 2);
  const double peak = on_levels ? peaks.level_macs_per_second : peaks.float_macs_per_second;
  Plot plot{.title = fmt::format("Products of {}", on_levels ? "levels" : "floats"),
            .x = {.title = "MACs a byte", .logarithmic = true},
            .y = {.title = "GMAC/s", .logarithmic = true}};
  for (const MemoryLevel& level : peaks.levels) plot.series.push_back(roof(level, peak, from, to));
  plot.series.push_back(std::move(steps));
  return "<div>" + draw_plot(plot) + "</div>\n";
}

std::string losses(const Roofline& roofline) {
  constexpr std::size_t kMost = 12;
  std::vector<PlotBar> bars;
  for (const RooflineStep& step : roofline.steps) {
    if (bars.size() == kMost) break;
    bars.push_back({.label = step.name,
                    .value = std::max(0.0, step.lost_ns() / 1e3),
                    .note = fmt::format("{:.2f} us, {:.0f} % of the limit", step.lost_ns() / 1e3, 100 * step.share())});
  }
  return "<div>" + draw_bars("Time lost to the limit", "microseconds", bars) + "</div>\n";
}

std::string row(const RooflineStep& step) {
  return fmt::format(
      "<tr><td class=\"l\">{}</td><td class=\"l\">{}</td><td>{:.2f}</td><td>{:.2f}</td><td>{:.2f}</td><td>{:.0f} %</td><td>{}</td>"
      "<td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
      escape_html(step.name), escape_html(step.work.ops), step.lost_ns() / 1e3, step.ns / 1e3, step.limit_ns / 1e3, 100 * step.share(),
      escape_html(step.bound), step.work.macs, human_bytes(step.work.weight_bytes), human_bytes(step.work.traffic.read),
      human_bytes(step.work.traffic.written));
}

std::string table(const Roofline& roofline) {
  std::string html =
      "<div class=\"wide\"><table>\n<tr><th class=\"l\">step</th><th class=\"l\">ops</th><th>lost, us</th><th>us</th><th>limit, us</th>"
      "<th>share</th><th>limit is</th><th>MACs</th><th>weights</th><th>in</th><th>out</th></tr>\n";
  for (const RooflineStep& step : roofline.steps) html += row(step);
  return html + row(roofline.total) + "</table></div>\n";
}

}  // namespace

std::string to_page(const std::vector<NamedRoofline>& models, const Peaks& peaks, const PageFacts& facts) {
  std::string html = start_page("moru bench roofline", facts);
  html += fmt::format("<pre>{}</pre>\n", escape_html(to_text(peaks)));
  for (const auto& [model, roofline] : models) {
    html += fmt::format("<h2>{}</h2>\n<div class=\"plots\">\n{}{}{}</div>\n{}", escape_html(model), roofs(roofline, peaks, true),
                        roofs(roofline, peaks, false), losses(roofline), table(roofline));
  }
  return html + end_page(
                    "A limit is the longer of the products at the machine's peak and of the bytes, each counted once, at the speed of the "
                    "level that they fit in. Each line is the roof that one level of memory makes.");
}

}  // namespace moru::runtime
