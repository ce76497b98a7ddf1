// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/plot.h"
#include "core/text.h"
#include "solutions/factory/report.h"

namespace moru::factory {
namespace {

constexpr const char* kStyle = R"(<style>
:root{color-scheme:light dark;--back:#f6f7f9;--card:#fff;--ink:#1d2433;--soft:#5b6577;--line:#e3e7ee;--good:#2e8b57;--bad:#b4472e}
@media (prefers-color-scheme:dark){:root{--back:#151a22;--card:#1d2430;--ink:#e6e9ef;--soft:#a3adbd;--line:#303846;--good:#63c08c;--bad:#f0896c}}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}main{max-width:1100px;margin:0 auto;padding:32px 20px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:17px;margin:0 0 12px}.soft{color:var(--soft)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:24px 0}.card,section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px}
.card b{display:block;font-size:24px;font-variant-numeric:tabular-nums}.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:12px}section{margin-bottom:12px;overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th,td{text-align:left;padding:6px 10px 6px 0;border-bottom:1px solid var(--line);vertical-align:top}th{color:var(--soft);font-weight:500}
td.n,th.n{text-align:right;white-space:nowrap}.good{color:var(--good)}.bad{color:var(--bad)}
</style>
)";

std::string card(const std::string& value, const std::string& label) {
  return fmt::format("<div class=\"card\"><b>{}</b><span class=\"soft\">{}</span></div>\n", escape_html(value), escape_html(label));
}

std::string model_table(const Report& report) {
  const auto& f = report.float_model;
  const auto& q = report.int8_model;
  std::string html =
      "<section><h2>Model: float32 and int8, side by side in ONNX Runtime</h2><table><tr><th></th><th class=n>float32</th><th "
      "class=n>int8</th></tr>";
  const auto row = [&html](const std::string& what, const std::string& a, const std::string& b) {
    html += fmt::format("<tr><td>{}</td><td class=n>{}</td><td class=n>{}</td></tr>", what, a, b);
  };
  row("top-1, test images", percent(f.top1), percent(q.top1));
  row("file size", human_bytes(f.size_bytes), human_bytes(q.size_bytes));
  row("latency p50, batch 1", human_duration_ns(f.latency.p50), human_duration_ns(q.latency.p50));
  row("latency p99, batch 1", human_duration_ns(f.latency.p99), human_duration_ns(q.latency.p99));
  row("same class named", "", percent(report.argmax_agreement));
  return html + fmt::format("</table><p class={}>Budget (at most {:.1f} points, at most {:.0f} % of the size): {}</p></section>\n",
                            report.budget_met ? "good" : "bad", report.max_drop * 100, report.max_size_ratio * 100,
                            report.budget_met ? "met" : "not met");
}

std::string rollout_table(const Report& report) {
  std::string html =
      "<section><h2>Rollouts while the lines ran</h2><table><tr><th>release</th><th>made as</th><th>outcome</th><th class=n>time</th><th "
      "class=n>items in shadow</th><th>reason</th></tr>";
  for (const auto& r : report.rollouts) {
    html += fmt::format("<tr><td>{}</td><td>{}</td><td class={}>{}</td><td class=n>{:.1f} s</td><td class=n>{}</td><td>{}</td></tr>",
                        r.release, escape_html(r.what), r.expected ? "good" : "bad", escape_html(r.outcome), r.seconds, r.shadow_items,
                        escape_html(r.reason));
  }
  return html + "</table></section>\n";
}

std::string ledger_table(const Report& report) {
  std::string html =
      "<section><h2>Ledger: in = out + in flight + stored + dropped</h2><table><tr><th>node</th><th>link</th><th class=n>in</th><th "
      "class=n>out</th><th class=n>in "
      "flight</th><th class=n>stored</th><th class=n>dropped</th><th></th></tr>";
  for (const auto& node : report.nodes) {
    for (const auto& link : node.ledger) {
      html += fmt::format(
          "<tr><td>{}</td><td>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td><td "
          "class={}>{}</td></tr>",
          escape_html(node.name), escape_html(link.link), link.in, link.out, link.in_flight, link.stored, link.dropped_total(),
          link.balanced() ? "good" : "bad", link.balanced() ? "adds up" : "does not add up");
    }
  }
  return html + "</table></section>\n";
}

std::string time_table(const Report& report) {
  std::string html = "<section><h2>Where the time went</h2><table>";
  for (const auto& step : report.steps) {
    html += fmt::format("<tr><td>{}</td><td class=n>{:.1f} s</td><td class=soft>{}</td></tr>", escape_html(step.name), step.seconds,
                        escape_html(step.note));
  }
  return html + "</table></section>\n";
}

std::string threshold_plot(const Report& report) {
  Plot plot{.title = "Alert threshold",
            .x = {.title = "false alarms, % of good items", .min = 0.0, .max = 5.0},
            .y = {.title = "defects found, %", .max = 100.0}};
  for (const auto& [name, curve] :
       {std::pair<const char*, const std::vector<forge::ThresholdPoint>*>{"validation", &report.validation_curve},
        {"test", &report.test_curve}}) {
    PlotSeries series{.name = name, .points = {}};
    for (const auto& point : *curve) {
      if (point.false_alarms <= 0.05) series.points.emplace_back(point.false_alarms * 100, point.detected * 100);
    }
    plot.series.push_back(std::move(series));
  }
  plot.series.push_back(
      {.name = "chosen, on the line", .points = {{report.false_alarm_rate() * 100, report.detection_rate() * 100}}, .markers = true});
  return draw_plot(plot);
}

std::string latency_plot(const Report& report) {
  Plot plot{.title = "Item to alert",
            .x = {.title = "milliseconds", .logarithmic = true},
            .y = {.title = "items at most that late, %", .min = 0.0, .max = 100.0}};
  PlotSeries series{.name = "", .points = {}};
  for (const auto& [ms, share] : report.latency_distribution) series.points.emplace_back(ms, share * 100);
  plot.series.push_back(std::move(series));
  plot.marks.push_back({static_cast<double>(report.latency_p50_ns) / 1e6, "p50"});
  plot.marks.push_back({static_cast<double>(report.latency_p99_ns) / 1e6, "p99"});
  return draw_plot(plot);
}

std::vector<PlotMark> rollout_marks(const Report& report) {
  std::vector<PlotMark> marks;
  for (const auto& rollout : report.rollouts) {
    if (rollout.started_s >= 0) marks.push_back({rollout.started_s, fmt::format("release {}", rollout.release)});
  }
  return marks;
}

std::string throughput_plot(const Report& report) {
  Plot plot{.title = "Items per second",
            .x = {.title = "seconds since the lines started"},
            .y = {.title = "items/s", .min = 0.0},
            .marks = rollout_marks(report)};
  for (const auto& [node, points] : report.throughput) plot.series.push_back({.name = node, .points = points, .steps = true});
  return draw_plot(plot);
}

std::string agreement_plot(const Report& report) {
  Plot plot{.title = "Items seen as their order says",
            .x = {.title = "seconds since the lines started"},
            .y = {.title = "%", .max = 100.0},
            .marks = rollout_marks(report)};
  PlotSeries series{.name = "", .points = {}};
  for (const auto& [second, share] : report.agreement) series.points.emplace_back(second, share * 100);
  plot.series.push_back(std::move(series));
  return draw_plot(plot);
}

std::string gate_plot(const Report& report) {
  std::vector<PlotInterval> rows;
  for (const auto& rollout : report.rollouts) {
    if (rollout.shadow_items == 0) continue;
    rows.push_back({fmt::format("release {}", rollout.release), rollout.drop_low * 100, rollout.drop * 100, rollout.drop_high * 100,
                    rollout.outcome == "succeeded"});
  }
  if (rows.empty()) return "";
  return draw_intervals("The gate: accuracy lost against the running release", "points, with confidence limits", rows,
                        {{0.0, "no loss"}, {5.0, "harmful"}});
}

}  // namespace

std::string to_html(const Report& report) {
  std::string html =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Moru: "
      "factory line</title>\n";
  html += kStyle + plot_style() + "</head><body><main><h1>Factory line: visual inspection</h1>\n";
  html += fmt::format("<p class=soft>{} &middot; seed {}</p>\n<div class=cards>", escape_html(report.machine), report.seed);
  html += card(percent(report.int8_model.top1), fmt::format("top-1, int8 (float {})", percent(report.float_model.top1)));
  html += card(human_bytes(report.int8_model.size_bytes), fmt::format("int8 model (float {})", human_bytes(report.float_model.size_bytes)));
  html += card(fmt::format("{} / {}", report.defects_found, report.defects_true), "defects found");
  html += card(percent(report.false_alarm_rate()), fmt::format("false alarms ({})", report.false_alarms));
  html +=
      card(human_duration_ns(report.latency_p99_ns), fmt::format("item to alert, p99 (p50 {})", human_duration_ns(report.latency_p50_ns)));
  html += card(fmt::format("{} of {}", report.missed, report.items), "items missed");
  html += "</div>\n";
  for (const auto& sentence : report.broken_promises()) html += fmt::format("<p class=bad>Not met: {}</p>\n", escape_html(sentence));
  html += rollout_table(report) + "<div class=grid>";
  for (const auto& plot :
       {threshold_plot(report), latency_plot(report), throughput_plot(report), agreement_plot(report), gate_plot(report)}) {
    if (!plot.empty()) html += "<section>" + plot + "</section>\n";
  }
  html += "</div>\n" + model_table(report) + ledger_table(report) + time_table(report);
  return html + "</main></body></html>\n";
}

}  // namespace moru::factory
