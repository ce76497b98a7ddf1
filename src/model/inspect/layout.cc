// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/layout.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "model/inspect/columns.h"
#include "model/inspect/layers.h"

namespace moru::model::layout {
namespace {

constexpr double kMinGap = 24;    // between rows
constexpr double kSlope = 14;     // the gap grows by 1 for so much that a line goes sideways,
constexpr double kMaxExtra = 46;  // up to this
constexpr double kPortStep = 16;  // between lines at one edge of a box
constexpr double kStub = 12;      // what is drawn of a line that is cut

/// Where lines meet an edge of a box: `ends` are the places that they lead to. One that goes straight up or down stays in the middle.
std::vector<double> ports(double middle, double width, const std::vector<double>& ends) {
  std::vector<std::size_t> order(ends.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(ends[i], i); });
  double centre = static_cast<double>(ends.size() - 1) / 2;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (std::abs(ends[order[i]] - middle) < 0.5) centre = static_cast<double>(i);
  }
  const double reach = std::max(centre, static_cast<double>(ends.size() - 1) - centre);
  const double step = reach > 0 ? std::min(kPortStep, (width / 2 - 8) / reach) : 0;
  std::vector<double> result(ends.size());
  for (std::size_t i = 0; i < order.size(); ++i) result[order[i]] = middle + (static_cast<double>(i) - centre) * step;
  return result;
}

class Arranger {
 public:
  Arranger(const std::vector<Box>& boxes, const std::vector<Net>& nets)
      : boxes_(boxes), nets_(nets), layers_(make_layers(boxes, nets)), x_(make_columns(layers_)) {}

  Picture arrange() {
    move_to_origin();
    make_rows();
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      picture_.boxes.push_back({x_[i] - boxes_[i].width / 2, top_[layers_.items[i].layer]});
    }
    make_lines();
    return std::move(picture_);
  }

 private:
  void move_to_origin() {
    double left = std::numeric_limits<double>::max();
    double right = 0;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      left = std::min(left, x_[i] - layers_.items[i].width / 2);
      right = std::max(right, x_[i] + layers_.items[i].width / 2);
    }
    for (double& x : x_) x -= left;
    picture_.width = x_.empty() ? 0 : right - left;
  }

  void make_rows() {
    const std::size_t count = layers_.layers.size();
    std::vector<double> height(count, 0);
    std::vector<double> gap(count, kMinGap);
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      auto& tallest = height[layers_.items[i].layer];
      tallest = std::max(tallest, boxes_[i].height);
    }
    std::vector<double> extra(count, 0);
    for (std::size_t i = 0; i < layers_.items.size(); ++i) {
      for (const std::size_t other : layers_.items[i].down) {
        auto& wide = extra[layers_.items[i].layer];
        wide = std::max(wide, std::min(kMaxExtra, std::abs(x_[i] - x_[other]) / kSlope));
      }
    }
    for (const Net& net : nets_) {
      auto& room = gap[layers_.items[net.from].layer];
      room = std::max(room, kMinGap + net.room);
    }
    double y = 0;
    for (std::size_t i = 0; i < count; ++i) {
      top_.push_back(y);
      bottom_.push_back(y + height[i]);
      picture_.height = bottom_.back();
      y = bottom_.back() + gap[i] + extra[i];
    }
  }

  void make_lines() {
    find_starts();
    find_ends();
    std::size_t end = 0;
    for (std::size_t i = 0; i < nets_.size(); ++i) {
      for (std::size_t j = 0; j < nets_[i].to.size(); ++j, ++end) picture_.lines.push_back(line(i, j, starts_[i], ends_[end]));
    }
  }

  /// Where each net leaves its box.
  void find_starts() {
    std::map<std::size_t, std::vector<std::size_t>> leaving;
    for (std::size_t i = 0; i < nets_.size(); ++i) leaving[nets_[i].from].push_back(i);
    starts_.resize(nets_.size());
    for (const auto& [box, nets] : leaving) {
      std::vector<double> towards;
      for (const std::size_t net : nets) {
        double sum = 0;
        for (const auto& path : layers_.paths[net]) sum += path.empty() ? x_[box] : x_[path[1]];
        towards.push_back(layers_.paths[net].empty() ? x_[box] : sum / static_cast<double>(layers_.paths[net].size()));
        // One that goes on straight below keeps the middle, whatever else leaves with it.
        for (const auto& path : layers_.paths[net]) {
          if (!path.empty() && std::abs(x_[path[1]] - x_[box]) < 0.5) towards.back() = x_[box];
        }
      }
      const auto places = ports(x_[box], boxes_[box].width, towards);
      for (std::size_t i = 0; i < nets.size(); ++i) starts_[nets[i]] = places[i];
    }
  }

  /// Where each line meets its box.
  void find_ends() {
    struct Arrivals {
      std::vector<std::size_t> lines;
      std::vector<double> from;
    };
    std::map<std::size_t, Arrivals> arriving;
    std::size_t line = 0;
    for (std::size_t i = 0; i < nets_.size(); ++i) {
      for (std::size_t j = 0; j < nets_[i].to.size(); ++j, ++line) {
        const auto& path = layers_.paths[i][j];
        const std::size_t box = nets_[i].to[j];
        arriving[box].lines.push_back(line);
        arriving[box].from.push_back(path.empty() ? x_[box] + boxes_[box].width : x_[path[path.size() - 2]]);
      }
    }
    ends_.resize(line);
    for (const auto& [box, arrivals] : arriving) {
      const auto places = ports(x_[box], boxes_[box].width, arrivals.from);
      for (std::size_t i = 0; i < places.size(); ++i) ends_[arrivals.lines[i]] = places[i];
    }
  }

  Line line(std::size_t net, std::size_t target, double start, double end) const {
    const std::size_t from = nets_[net].from;
    const std::size_t to = nets_[net].to[target];
    const double from_y = picture_.boxes[from].y + boxes_[from].height;
    const double to_y = picture_.boxes[to].y;
    const auto& path = layers_.paths[net][target];
    if (path.empty()) return {net, {{start, from_y}, {start, from_y + kStub}, {end, to_y - kStub}, {end, to_y}}, true};
    Line result{net, {{start, from_y}, {start, bottom_[layers_.items[from].layer]}}, false};
    for (std::size_t i = 1; i + 1 < path.size(); ++i) {
      const std::size_t row = layers_.items[path[i]].layer;
      result.points.push_back({x_[path[i]], top_[row]});
      result.points.push_back({x_[path[i]], bottom_[row]});
    }
    result.points.push_back({end, top_[layers_.items[to].layer]});
    result.points.push_back({end, to_y});
    return result;
  }

  const std::vector<Box>& boxes_;
  const std::vector<Net>& nets_;
  Layers layers_;
  std::vector<double> x_;
  std::vector<double> top_;
  std::vector<double> bottom_;
  std::vector<double> starts_;
  std::vector<double> ends_;
  Picture picture_;
};

}  // namespace

Picture arrange(const std::vector<Box>& boxes, const std::vector<Net>& nets) { return Arranger(boxes, nets).arrange(); }

}  // namespace moru::model::layout
