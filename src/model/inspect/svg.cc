// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "model/inspect/bodies.h"
#include "model/inspect/box_text.h"
#include "model/inspect/layout.h"

namespace moru::model {
namespace {

constexpr std::size_t kMaxNodes = 20'000;
// A fixed-width font, since its widths are known without the font: 0.602 em in all the usual ones.
constexpr double kSmall = 10.5;
constexpr double kTitle = 13;
constexpr double kAdvance = 0.603;
constexpr double kLineHeight = 14;
constexpr double kTitleHeight = 21;
constexpr double kPadding = 9;
constexpr double kMargin = 24;
constexpr double kHeading = 66;  // title and legend
constexpr double kFrame = 16;    // around a body
constexpr double kFrameTitle = 24;
constexpr std::size_t kMaxLabels = 4;  // staggered below a box with several outputs; more would be a column of text

struct Look {
  std::string_view word;
  std::string_view colour;
};
// In the order of BoxKind. White text is readable on each (contrast 4.5 and more).
constexpr std::array<Look, kBoxKinds> kLooks = {{
    {"input, output", "#1f2937"},
    {"convolution", "#1d5fa8"},
    {"matrix product", "#0f766e"},
    {"activation", "#b4322a"},
    {"pooling, reduction", "#2f7d32"},
    {"normalisation", "#66701b"},
    {"quantisation", "#a85a00"},
    {"arithmetic", "#6d45a8"},
    {"shape and place", "#6b5b4d"},
    {"control", "#9d2468"},
    {"other", "#566070"},
}};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

double text_width(std::string_view label, double size) { return static_cast<double>(columns_of(label)) * size * kAdvance; }

layout::Box size_of_box(const BoxText& text) {
  double width = std::max(text_width(text.title, kTitle), text_width(text.name, kSmall));
  for (const std::string& line : text.lines) width = std::max(width, text_width(line, kSmall));
  const auto lines = static_cast<double>(text.lines.size() + (text.name.empty() ? 0U : 1U));
  return {std::max(70.0, width + 2 * kPadding), kTitleHeight + (lines > 0 ? lines * kLineHeight + 6 : 0)};
}

/// One graph, drawn with its upper left corner at (0, 0).
struct Drawing {
  std::string svg;
  double width = 0;
  double height = 0;
};

/// A body that stands beside the graph.
struct Body {
  const Graph* graph;
  std::string title;
};

class Painter {
 public:
  explicit Painter(const Graph& graph) : graph_(graph) {}

  /// Bodies that its nodes have are appended to `bodies`, which gives them their numbers.
  Drawing paint(std::vector<Body>* bodies) {
    make_boxes(bodies);
    make_nets();
    const layout::Picture picture = layout::arrange(boxes_, nets_);
    Drawing drawing{.svg = {}, .width = picture.width, .height = picture.height};
    for (const auto& line : picture.lines) paint_line(line, &drawing.svg);
    for (std::size_t i = 0; i < texts_.size(); ++i) paint_box(texts_[i], boxes_[i], picture.boxes[i], &drawing.svg);
    paint_labels(picture, &drawing);
    return drawing;
  }

 private:
  void make_boxes(std::vector<Body>* bodies) {
    for (const ValueId id : graph_.inputs) texts_.push_back(describe_port("input", graph_.value(id)));
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.nodes()[i];
      texts_.push_back(describe_node(graph_, node));
      for_each_body(node, [&](std::string_view attribute, const Graph& body) {
        const auto title = fmt::format("body {}", bodies->size() + 1);
        texts_.back().lines.push_back(fmt::format("{}: {}", clean_label(attribute, 24), title));
        bodies->push_back({&body, fmt::format("{}: {} of {}", title, clean_label(attribute, 24), clean_label(describe(graph_, i), 60))});
      });
    }
    for (const ValueId id : graph_.outputs) texts_.push_back(describe_port("output", graph_.value(id)));
    for (const BoxText& text : texts_) boxes_.push_back(size_of_box(text));
  }

  void make_nets() {
    std::vector<std::vector<std::size_t>> users(graph_.value_count());
    const auto use = [&](ValueId id, std::size_t box) {
      auto& list = users[static_cast<std::size_t>(id)];
      if (list.empty() || list.back() != box) list.push_back(box);  // boxes come in order: the same one only in a row
    };
    const std::size_t first_node = graph_.inputs.size();
    const std::size_t first_output = first_node + graph_.nodes().size();
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) for_each_use(graph_.nodes()[i], [&](ValueId id) { use(id, first_node + i); });
    for (std::size_t i = 0; i < graph_.outputs.size(); ++i) use(graph_.outputs[i], first_output + i);
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i) add_net(i, {&graph_.inputs[i], 1}, users);
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) add_net(first_node + i, graph_.nodes()[i].outputs, users);
  }

  /// The lines that leave one box.
  void add_net(std::size_t box, std::span<const ValueId> outputs, std::vector<std::vector<std::size_t>>& users) {
    double room = 0;
    for (const ValueId id : outputs) {
      if (id == kNoValue || users[static_cast<std::size_t>(id)].empty()) continue;
      if (room < kMaxLabels * kLineHeight) room += kLineHeight;
      nets_.push_back({box, users[static_cast<std::size_t>(id)], room});
      values_.push_back(id);
      // So that two labels in neighbouring columns do not meet.
      boxes_[box].width = std::max(boxes_[box].width, text_width(type_label(graph_.value(id).type), kSmall) + 4);
    }
  }

  void paint_line(const layout::Line& line, std::string* svg) const {
    const auto& points = line.points;
    std::string path = fmt::format("M{:.1f} {:.1f}V{:.1f}", points[0].x, points[0].y, points[1].y);
    for (std::size_t i = 2; i + 1 < points.size(); i += 2) {
      const layout::Point& from = points[i - 1];
      const layout::Point& to = points[i];
      if (line.cut) {
        path += fmt::format("M{:.1f} {:.1f}", to.x, to.y);
      } else if (std::abs(from.x - to.x) > 0.05) {
        const double middle = (from.y + to.y) / 2;
        path += fmt::format("C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}", from.x, middle, to.x, middle, to.x, to.y);
      }
      path += fmt::format("V{:.1f}", points[i + 1].y);
    }
    *svg += fmt::format("<path class=\"l\" d=\"{}\"/>\n", path);
    if (!line.cut) return;
    const auto name = escaped(clean_label(graph_.value(values_[line.net]).name, 24));
    *svg += fmt::format("<text class=\"s\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", points[1].x + 4, points[1].y, name);
    *svg += fmt::format("<text class=\"s\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", points[2].x + 4, points[2].y, name);
  }

  static void paint_box(const BoxText& text, const layout::Box& box, const layout::Point& corner, std::string* svg) {
    const std::string_view colour = kLooks[static_cast<std::size_t>(text.kind)].colour;
    const double radius = text.kind == BoxKind::kPort ? 10 : 4;
    *svg += "<g>";
    if (!text.whole_name.empty()) *svg += fmt::format("<title>{}</title>", escaped(text.whole_name));
    *svg += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"{}\" fill=\"#fff\" stroke=\"{}\"/>",
                        corner.x, corner.y, box.width, box.height, radius, colour);
    // The head: round corners above, and below only where it is the whole box.
    const bool alone = box.height <= kTitleHeight;
    const double r = radius;
    *svg += fmt::format(
        "<path fill=\"{}\" d=\"M{:.1f} {:.1f}v{:.1f}a{r} {r} 0 0 1 {r} -{r}h{:.1f}a{r} {r} 0 0 1 {r} {r}v{:.1f}{}z\"/>", colour, corner.x,
        corner.y + kTitleHeight - (alone ? r : 0), -(kTitleHeight - r - (alone ? r : 0)), box.width - 2 * r,
        kTitleHeight - r - (alone ? r : 0),
        alone ? fmt::format("a{r} {r} 0 0 1 -{r} {r}h{:.1f}a{r} {r} 0 0 1 -{r} -{r}", -(box.width - 2 * r), fmt::arg("r", r)) : "",
        fmt::arg("r", r));
    const double middle = corner.x + box.width / 2;
    *svg += fmt::format("<text class=\"t\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", middle, corner.y + 15, escaped(text.title));
    double y = corner.y + kTitleHeight + 12;
    if (!text.name.empty()) {
      *svg += fmt::format("<text class=\"n\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", middle, y, escaped(text.name));
      y += kLineHeight;
    }
    for (const std::string& line : text.lines) {
      *svg += fmt::format("<text class=\"b\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", middle, y, escaped(line));
      y += kLineHeight;
    }
    *svg += "</g>\n";
  }

  /// On a net's line, below its box; an input says its type in the box, and so does an output.
  void paint_labels(const layout::Picture& picture, Drawing* drawing) const {
    std::size_t line = 0;
    for (std::size_t i = 0; i < nets_.size(); ++i) {
      const layout::Point from = picture.lines[line].points[0];
      line += nets_[i].to.size();
      if (nets_[i].from < graph_.inputs.size()) continue;
      const std::string label = type_label(graph_.value(values_[i]).type);
      const double width = text_width(label, kSmall) + 4;
      const double y = from.y + nets_[i].room - 1;
      drawing->width = std::max(drawing->width, from.x + width / 2);
      drawing->svg += fmt::format(
          "<rect class=\"w\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"12\"/><text class=\"e\" x=\"{:.1f}\" "
          "y=\"{:.1f}\">{}</text>\n",
          from.x - width / 2, y - 6, width, from.x, y + 3.5, escaped(label));
    }
  }

  const Graph& graph_;
  std::vector<BoxText> texts_;
  std::vector<layout::Box> boxes_;
  std::vector<layout::Net> nets_;
  std::vector<ValueId> values_;  ///< of each net
};

std::size_t count_nodes(const Graph& graph) {
  std::size_t count = graph.nodes().size() + graph.inputs.size() + graph.outputs.size();
  for (const Node& node : graph.nodes()) for_each_body(node, [&](std::string_view, const Graph& body) { count += count_nodes(body); });
  return count;
}

void note_kinds(const Graph& graph, std::array<bool, kBoxKinds>* kinds) {
  (*kinds)[static_cast<std::size_t>(BoxKind::kPort)] = true;
  for (const Node& node : graph.nodes()) {
    (*kinds)[static_cast<std::size_t>(kind_of(node.op))] = true;
    for_each_body(node, [&](std::string_view, const Graph& body) { note_kinds(body, kinds); });
  }
}

/// Title, and which colour means what. Widens the picture when it must.
std::string heading(const Graph& graph, double* width) {
  const auto title = clean_label(graph.name, 80);
  const auto facts = fmt::format("opset {}, {} nodes", graph.opset, graph.nodes().size());
  std::string svg = fmt::format("<text class=\"h\" x=\"{0}\" y=\"28\">{1}</text><text class=\"s\" x=\"{0}\" y=\"44\">{2}</text>\n", kMargin,
                                escaped(title), facts);
  std::array<bool, kBoxKinds> kinds{};
  note_kinds(graph, &kinds);
  double x = kMargin;
  for (std::size_t i = 0; i < kBoxKinds; ++i) {
    if (!kinds[i]) continue;
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"54\" width=\"10\" height=\"10\" rx=\"2\" fill=\"{}\"/><text class=\"s\" x=\"{:.1f}\" y=\"63\">{}</text>\n",
        x, kLooks[i].colour, x + 15, kLooks[i].word);
    x += 15 + text_width(kLooks[i].word, kSmall) + 16;
  }
  *width = std::max({*width, x, kMargin + text_width(title, 17)});
  return svg;
}

constexpr std::string_view kStyle =
    "<style>text{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}"
    ".h{font-size:17px;font-weight:bold;fill:#111827}.t{font-size:13px;font-weight:bold;fill:#fff;text-anchor:middle}"
    ".n{font-size:10.5px;font-weight:bold;fill:#374151;text-anchor:middle}.b{font-size:10.5px;fill:#374151;text-anchor:middle}"
    ".e{font-size:10.5px;fill:#4b5563;text-anchor:middle}.s{font-size:10.5px;fill:#4b5563}.w{fill:#fff;fill-opacity:.88}"
    ".l{fill:none;stroke:#9ca3af;stroke-width:1.5;marker-end:url(#a)}.f{fill:none;stroke:#9d2468;stroke-dasharray:5 4}</style>\n"
    "<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"5\" markerHeight=\"5\" orient=\"auto\">"
    "<path d=\"M0 0L8 4L0 8z\" fill=\"#9ca3af\"/></marker></defs>\n";

}  // namespace

Result<std::string> to_svg(const Graph& graph) {
  if (const std::size_t nodes = count_nodes(graph); nodes > kMaxNodes) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("draw: found {} nodes, inputs and outputs, expected at most {}", nodes, kMaxNodes));
  }
  std::vector<Body> bodies;
  const Drawing main = Painter(graph).paint(&bodies);
  std::string inside = fmt::format("<g transform=\"translate({} {})\">\n{}</g>\n", kMargin, kHeading + 14, main.svg);
  double width = kMargin + main.width;
  double height = kHeading + 14 + main.height;
  // Bodies go down the right side; their own bodies are appended while this runs.
  const double left = width + 2 * kMargin;
  double y = kHeading + 14;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const Body body = bodies[i];
    const Drawing drawing = Painter(*body.graph).paint(&bodies);
    const double frame_width = std::max(drawing.width, text_width(body.title, kSmall)) + 2 * kFrame;
    const double frame_height = drawing.height + kFrameTitle + 2 * kFrame;
    inside += fmt::format(
        "<g transform=\"translate({:.1f} {:.1f})\"><rect class=\"f\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"8\"/>"
        "<text class=\"s\" x=\"{}\" y=\"20\">{}</text><g transform=\"translate({} {})\">\n{}</g></g>\n",
        left, y, frame_width, frame_height, kFrame, escaped(body.title), kFrame, kFrameTitle + kFrame, drawing.svg);
    width = std::max(width, left + frame_width);
    height = std::max(height, y + frame_height);
    y += frame_height + kMargin;
  }
  const std::string head = heading(graph, &width);
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\">\n{2}"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{3}{4}</svg>\n",
      width + kMargin, height + kMargin, kStyle, head, inside);
}

}  // namespace moru::model
