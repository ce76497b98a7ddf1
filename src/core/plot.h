// SPDX-License-Identifier: Apache-2.0
// Plots as SVG text for self-contained reports. Colours follow the page's light or dark scheme through CSS variables
// that plot_style() defines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moru {

struct PlotSeries {
  std::string name;
  std::vector<std::pair<double, double>> points;
  bool steps = false;    ///< horizontal then vertical, for things that hold until they change
  bool markers = false;  ///< points without a line
};

/// A vertical line with a word at its top.
struct PlotMark {
  double x = 0.0;
  std::string label;
};

/// An interval drawn as a horizontal bar with its middle: estimates with their confidence limits.
struct PlotInterval {
  std::string label;
  double low = 0.0;
  double middle = 0.0;
  double high = 0.0;
  bool good = true;
};

/// A horizontal bar from 0 to a value, with a whisker that ends beyond it.
struct PlotBar {
  std::string label;
  double value = 0.0;
  double whisker = 0.0;  ///< where it ends; at or below the value: none
  std::string note;      ///< the value as people read it, written at the bar
  bool good = true;
};

struct PlotAxis {
  std::string title;
  std::optional<double> min = std::nullopt;
  std::optional<double> max = std::nullopt;
  bool logarithmic = false;
};

struct Plot {
  std::string title;
  PlotAxis x;
  PlotAxis y;
  std::vector<PlotSeries> series = {};
  std::vector<PlotMark> marks = {};
};

/// The <style> element that plots need, once a page.
std::string plot_style();

/// An <svg> element of 640 x 320 units that scales to its container. Points that are not finite are left out; on a
/// logarithmic axis so are those <= 0.
std::string draw_plot(const Plot& plot);

/// Intervals, one a row, with vertical marks (limits).
std::string draw_intervals(const std::string& title, const std::string& x_title, const std::vector<PlotInterval>& intervals,
                           const std::vector<PlotMark>& marks);

/// Bars, one a row, from 0 on; notes at the right edge. A whisker beyond twice the longest bar ends as an arrow.
std::string draw_bars(const std::string& title, const std::string& x_title, const std::vector<PlotBar>& bars);

/// Text made safe inside HTML and attribute values.
std::string escape_html(std::string_view text);

}  // namespace moru
