// SPDX-License-Identifier: Apache-2.0
#include "core/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace moru {
namespace {

constexpr double kWidth = 640;
constexpr double kHeight = 320;
constexpr double kLeft = 64;
constexpr double kRight = 16;
constexpr double kTop = 40;
constexpr double kBottom = 48;

/// Maps values of one axis to units of the drawing.
class Scale {
 public:
  Scale(const PlotAxis& axis, double low, double high, double from, double to) : logarithmic_(axis.logarithmic), from_(from), to_(to) {
    low_ = axis.min.value_or(low);
    high_ = axis.max.value_or(high);
    if (!std::isfinite(low_) || !std::isfinite(high_)) low_ = high_ = logarithmic_ ? 1.0 : 0.0;
    if (high_ <= low_) high_ = logarithmic_ ? low_ * 10.0 : low_ + 1.0;
  }
  double place(double value) const {
    const double share = logarithmic_ ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
    return from_ + std::clamp(share, 0.0, 1.0) * (to_ - from_);
  }
  /// Round values to write at the axis: powers of ten, or 1, 2, 5 times one.
  std::vector<double> ticks() const {
    std::vector<double> values;
    if (logarithmic_) {
      for (double power = std::pow(10.0, std::floor(std::log10(low_))); power <= high_; power *= 10.0) {
        for (const double tick : {power, 2 * power, 5 * power}) {
          if (tick >= low_ * 0.9999 && tick <= high_ * 1.0001) values.push_back(tick);
        }
      }
      return values;
    }
    const double rough = (high_ - low_) / 5.0;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    const double ratio = rough / power;
    const double step = power * (ratio < 1.5 ? 1.0 : ratio < 3.5 ? 2.0 : ratio < 7.5 ? 5.0 : 10.0);
    for (double tick = std::ceil(low_ / step) * step; tick <= high_ + step * 1e-6; tick += step) {
      values.push_back(std::abs(tick) < step * 1e-6 ? 0.0 : tick);
    }
    return values;
  }

 private:
  bool logarithmic_;
  double low_ = 0.0;
  double high_ = 1.0;
  double from_;
  double to_;
};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void take(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

bool drawable(double value, const PlotAxis& axis) { return std::isfinite(value) && (!axis.logarithmic || value > 0.0); }

std::string open_svg(const std::string& title, double height) {
  return fmt::format(
      "<svg class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n"
      "<text class=\"title\" x=\"{}\" y=\"20\">{}</text>\n",
      kWidth, height, escape_html(title), kLeft, escape_html(title));
}

std::string draw_x_axis(const Scale& x, const std::string& title, double top, double bottom) {
  std::string svg;
  for (const double tick : x.ticks()) {
    svg += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>", x.place(tick), top, bottom);
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:g}</text>\n", x.place(tick), bottom + 16, tick);
  }
  svg += fmt::format("<text class=\"axis\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", (kLeft + kWidth - kRight) / 2,
                     bottom + 36, escape_html(title));
  return svg;
}

std::string draw_y_axis(const Scale& y, const std::string& title) {
  std::string svg;
  for (const double tick : y.ticks()) {
    svg += fmt::format("<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", kLeft, kWidth - kRight, y.place(tick));
    svg += fmt::format("<text class=\"tick\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>\n", kLeft - 6, y.place(tick) + 4, tick);
  }
  svg += fmt::format("<text class=\"axis\" transform=\"translate(14 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                     (kTop + kHeight - kBottom) / 2, escape_html(title));
  return svg;
}

std::string draw_marks(const std::vector<PlotMark>& marks, const Scale& x, double top, double bottom) {
  std::string svg;
  double last_end = -1e9;
  int row = 0;
  for (const auto& mark : marks) {
    const double at = x.place(mark.x);
    row = at < last_end ? row + 1 : 0;  // labels that would overlap go one line lower
    last_end = at + 6.5 * static_cast<double>(mark.label.size()) + 6;
    const bool at_right = at > kWidth - kRight - 6.5 * static_cast<double>(mark.label.size());
    svg += fmt::format("<line class=\"mark\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>", at, top, bottom);
    svg += fmt::format("<text class=\"mark-label\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n", at + (at_right ? -4 : 4),
                       top + 12 + 13 * row, at_right ? "end" : "start", escape_html(mark.label));
  }
  return svg;
}

std::string draw_series(const PlotSeries& series, std::size_t index, const Plot& plot, const Scale& x, const Scale& y) {
  std::string path;
  std::string dots;
  double last_y = 0.0;
  for (const auto& [px, py] : series.points) {
    if (!drawable(px, plot.x) || !drawable(py, plot.y)) continue;
    const double sx = x.place(px);
    const double sy = y.place(py);
    if (series.markers) {
      dots += fmt::format("<circle class=\"dot s{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"/>", index % 6, sx, sy);
    } else if (path.empty()) {
      path = fmt::format("M{:.1f} {:.1f}", sx, sy);
    } else if (series.steps) {
      path += fmt::format("L{:.1f} {:.1f}L{:.1f} {:.1f}", sx, last_y, sx, sy);
    } else {
      path += fmt::format("L{:.1f} {:.1f}", sx, sy);
    }
    last_y = sy;
  }
  if (!path.empty()) dots += fmt::format("<path class=\"line s{}\" d=\"{}\"/>", index % 6, path);
  return dots + "\n";
}

std::string draw_legend(const std::vector<PlotSeries>& series) {
  std::string svg;
  double right = kWidth - kRight;
  for (std::size_t i = series.size(); i-- > 0;) {
    if (series[i].name.empty()) continue;
    right -= 6.6 * static_cast<double>(series[i].name.size());
    svg += fmt::format("<text class=\"legend\" x=\"{:.1f}\" y=\"20\">{}</text>", right, escape_html(series[i].name));
    right -= 16;
    svg += fmt::format("<rect class=\"key s{}\" x=\"{:.1f}\" y=\"11\" width=\"11\" height=\"11\" rx=\"2\"/>\n", i % 6, right);
    right -= 14;
  }
  return svg;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      case '\'': safe += "&#39;"; break;
      default: safe += c;
    }
  }
  return safe;
}

std::string plot_style() {
  return R"(<style>
:root{--plot-ink:#1d2433;--plot-soft:#5b6577;--plot-grid:#e3e7ee;--plot-mark:#b4472e;--s0:#2563a8;--s1:#d97a1d;--s2:#2e8b57;--s3:#8c4fb0;--s4:#b03a5b;--s5:#54717a}
@media (prefers-color-scheme:dark){:root{--plot-ink:#e6e9ef;--plot-soft:#a3adbd;--plot-grid:#303846;--plot-mark:#f0896c;--s0:#6ea8e6;--s1:#f0a353;--s2:#63c08c;--s3:#c08be0;--s4:#e57a9a;--s5:#93b3bd}}
.plot{width:100%;height:auto;font:12px system-ui,sans-serif}.plot text{fill:var(--plot-soft)}.plot .title{fill:var(--plot-ink);font-size:14px;font-weight:600}
.plot .grid{stroke:var(--plot-grid)}.plot .line{fill:none;stroke-width:2;stroke-linejoin:round}.plot .mark{stroke:var(--plot-mark);stroke-dasharray:4 3}
.plot .mark-label{fill:var(--plot-mark);font-size:11px}.plot .legend{fill:var(--plot-ink)}
.plot .line.s0{stroke:var(--s0)}.plot .line.s1{stroke:var(--s1)}.plot .line.s2{stroke:var(--s2)}.plot .line.s3{stroke:var(--s3)}.plot .line.s4{stroke:var(--s4)}.plot .line.s5{stroke:var(--s5)}
.plot .dot.s0,.plot .key.s0{fill:var(--s0)}.plot .dot.s1,.plot .key.s1{fill:var(--s1)}.plot .dot.s2,.plot .key.s2{fill:var(--s2)}.plot .dot.s3,.plot .key.s3{fill:var(--s3)}.plot .dot.s4,.plot .key.s4{fill:var(--s4)}.plot .dot.s5,.plot .key.s5{fill:var(--s5)}
.plot .bar.fine{fill:var(--s0)}.plot .whisker{stroke:var(--plot-ink);fill:none;stroke-width:1.5}
.plot .interval{stroke-width:3}.plot .good{stroke:var(--s2);fill:var(--s2)}.plot .bad{stroke:var(--plot-mark);fill:var(--plot-mark)}
</style>
)";
}

std::string draw_plot(const Plot& plot) {
  Range xs;
  Range ys;
  for (const auto& series : plot.series) {
    for (const auto& [x, y] : series.points) {
      if (!drawable(x, plot.x) || !drawable(y, plot.y)) continue;
      xs.take(x);
      ys.take(y);
    }
  }
  const Scale x(plot.x, xs.low, xs.high, kLeft, kWidth - kRight);
  const Scale y(plot.y, ys.low, ys.high, kHeight - kBottom, kTop);
  std::string svg = open_svg(plot.title, kHeight);
  svg += draw_x_axis(x, plot.x.title, kTop, kHeight - kBottom) + draw_y_axis(y, plot.y.title);
  for (std::size_t i = 0; i < plot.series.size(); ++i) svg += draw_series(plot.series[i], i, plot, x, y);
  svg += draw_marks(plot.marks, x, kTop, kHeight - kBottom) + draw_legend(plot.series);
  return svg + "</svg>\n";
}

std::string draw_intervals(const std::string& title, const std::string& x_title, const std::vector<PlotInterval>& intervals,
                           const std::vector<PlotMark>& marks) {
  constexpr double kRow = 28;
  Range xs;
  for (const auto& interval : intervals) {
    xs.take(interval.low);
    xs.take(interval.high);
  }
  for (const auto& mark : marks) xs.take(mark.x);
  const double margin = (xs.high - xs.low) * 0.05;
  const double top = kTop + 20;
  const double bottom = top + kRow * static_cast<double>(intervals.size()) + 8;
  const Scale x({}, xs.low - margin, xs.high + margin, kLeft + 40, kWidth - kRight);
  std::string svg = open_svg(title, bottom + kBottom) + draw_x_axis(x, x_title, kTop, bottom);
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    const auto& row = intervals[i];
    const double y = top + kRow * (static_cast<double>(i) + 0.5);
    const char* look = row.good ? "good" : "bad";
    svg += fmt::format("<text class=\"tick\" x=\"8\" y=\"{:.1f}\">{}</text>", y + 4, escape_html(row.label));
    svg += fmt::format("<line class=\"interval {0}\" x1=\"{1:.1f}\" x2=\"{2:.1f}\" y1=\"{3}\" y2=\"{3}\"/>", look, x.place(row.low),
                       x.place(row.high), y);
    svg += fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{}\" r=\"5\"/>\n", look, x.place(row.middle), y);
  }
  return svg + draw_marks(marks, x, kTop, bottom) + "</svg>\n";
}

std::string draw_bars(const std::string& title, const std::string& x_title, const std::vector<PlotBar>& bars) {
  constexpr double kRow = 26;
  constexpr double kBar = 14;
  constexpr double kLetter = 6.6;  // of 12 units of height
  constexpr double kRoom = 2.0;    // for whiskers: a single outlier must not make dots of the bars
  double longest = 0;
  double furthest = 0;
  std::size_t label = 0;
  std::size_t note = 0;
  for (const auto& bar : bars) {
    longest = std::max(longest, bar.value);
    furthest = std::max({furthest, bar.value, bar.whisker});
    label = std::max(label, bar.label.size());
    note = std::max(note, bar.note.size());
  }
  const double left = 16 + kLetter * static_cast<double>(std::min<std::size_t>(label, 40));
  const double bottom = kTop + kRow * static_cast<double>(bars.size()) + 8;
  const double notes = kWidth - kRight - kLetter * static_cast<double>(note);
  const double limit = std::min(furthest, kRoom * longest);
  const Scale x({}, 0.0, limit, left, notes - 14);
  std::string svg = open_svg(title, bottom + kBottom) + draw_x_axis(x, x_title, kTop, bottom);
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const auto& bar = bars[i];
    const double y = kTop + kRow * (static_cast<double>(i) + 0.5) + 4;
    const double end = x.place(bar.value);
    const double whisker = std::max(end, x.place(bar.whisker));
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", left - 8, y + 4,
                       escape_html(bar.label));
    svg += fmt::format("<rect class=\"bar {}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\" rx=\"2\"/>",
                       bar.good ? "fine" : "bad", left, y - kBar / 2, std::max(end - left, 1.0), kBar);
    if (whisker > end) svg += fmt::format("<path class=\"whisker\" d=\"M{:.1f} {:.1f}H{:.1f}", end, y, whisker);
    // A stop at its end; where it goes on beyond the plot, the head of an arrow.
    if (whisker > end && bar.whisker <= limit) svg += fmt::format("M{:.1f} {:.1f}V{:.1f}\"/>", whisker, y - 4, y + 4);
    if (whisker > end && bar.whisker > limit) svg += "m-5 -4l5 4l-5 4\"/>";
    svg += fmt::format("<text class=\"legend\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", notes, y + 4, escape_html(bar.note));
  }
  return svg + "</svg>\n";
}

}  // namespace moru
