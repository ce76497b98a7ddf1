// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/drawing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/plot.h"
#include "edge/streams/lane.h"

namespace moru::edge {
namespace {

constexpr int kBoxWidth = 170;
constexpr int kBoxHeight = 46;
constexpr int kColumnStep = 260;
constexpr int kRowStep = 76;
constexpr int kMargin = 24;
constexpr std::size_t kShownLetters = 22;

struct Place {
  int x = 0;
  int y = 0;
};

/// A column a step of the longest way from a source; in it the stages in the order of the file.
std::vector<Place> places_of(const StreamSpec& spec) {
  std::vector<int> columns(spec.stages.size(), 0);
  for (const std::size_t index : spec.order) {
    for (const auto& link : spec.stages[index].links) columns[index] = std::max(columns[index], columns[link.from] + 1);
  }
  std::vector<int> rows(spec.stages.size() + 1, 0);
  std::vector<Place> places;
  for (const int column : columns) {
    const int row = rows[static_cast<std::size_t>(column)]++;
    places.push_back({kMargin + column * kColumnStep, kMargin + row * kRowStep});
  }
  return places;
}

std::string shown(std::string_view text) {
  return escape_html(text.size() <= kShownLetters ? std::string(text) : fmt::format("{}…", text.substr(0, kShownLetters - 1)));
}

std::string fields_of(const Schema& schema) {
  std::string text;
  for (const auto& field : schema.fields) {
    if (!field.name.is_note()) text += fmt::format("{}: {}\n", field.name.text(), to_string(field));
  }
  if (schema.rate_hz > 0.0) text += fmt::format("{:.6g} a second at most\n", schema.rate_hz);
  if (schema.period > 0) text += fmt::format("{} from one to the next at least\n", in_ms(schema.period));
  if (schema.open) text += "and what is not known before it runs\n";
  return text;
}

std::string box(const StreamSpec::StageEntry& entry, const std::vector<Schema>& schemas, Place place) {
  const char* colour = entry.spec->kind == StageKind::kSource ? "#dcefe0" : entry.spec->kind == StageKind::kSink ? "#f3e3d3" : "#e3e9f5";
  std::string title = fmt::format("{} ({})\n", entry.name, entry.stage);
  for (std::size_t port = 0; entry.spec->kind != StageKind::kSink && port < entry.spec->outputs.size(); ++port)
    title += fmt::format("{}\n{}", entry.spec->outputs[port], fields_of(schemas[port]));
  return fmt::format(
      "<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"{}\" stroke=\"#555\"/>"
      "<text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text><text x=\"{}\" y=\"{}\" fill=\"#555\">{}</text></g>\n",
      escape_html(title), place.x, place.y, kBoxWidth, kBoxHeight, colour, place.x + 10, place.y + 19, shown(entry.name), place.x + 10,
      place.y + 37, shown(entry.stage));
}

std::string_view word_of(OverflowPolicy policy) {
  switch (policy) {
    case OverflowPolicy::kBlock: return "block";
    case OverflowPolicy::kDropOldest: return "drop oldest";
    case OverflowPolicy::kSample: return "sample";
    case OverflowPolicy::kSpill: return "spill";
  }
  return "";
}

/// A link on one thread is thin; one with a queue is thick and says how it is held.
std::string line(const StreamSpec& spec, const StreamSpec::Link& link, double rate_hz, bool queued, Place from, Place to) {
  const int x1 = from.x + kBoxWidth;
  const int y1 = from.y + kBoxHeight / 2;
  const int y2 = to.y + kBoxHeight / 2;
  const int bend = (to.x - x1) / 2;
  std::vector<std::string> words;
  if (link.port > 0) words.emplace_back(spec.stages[link.from].spec->outputs[link.port]);
  if (rate_hz > 0.0) words.push_back(fmt::format("≤ {:.4g}/s", rate_hz));
  if (queued) words.push_back(fmt::format("{}{}", link.queue ? fmt::format("{} ", *link.queue) : "", word_of(link.overflow)));
  return fmt::format(
      "<path d=\"M{} {} C{} {} {} {} {} {}\" fill=\"none\" stroke=\"#555\" stroke-width=\"{}\" marker-end=\"url(#end)\"/>"
      "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-size=\"10\" fill=\"#555\" stroke=\"#fff\" stroke-width=\"3\" "
      "paint-order=\"stroke\">{}</text>\n",
      x1, y1, x1 + bend, y1, to.x - bend, y2, to.x, y2, queued ? 2.2 : 1.0, x1 + bend, (y1 + y2) / 2 - 5,
      escape_html(fmt::format("{}", fmt::join(words, ", "))));
}

}  // namespace

Result<std::string> draw_stream(const StreamSpec& spec) {
  MORU_ASSIGN_OR_RETURN(const auto schemas, bind_stages(spec));
  const auto places = places_of(spec);
  const auto lanes = assign_lanes(spec);
  int width = 0;
  int height = 0;
  for (const Place place : places) {
    width = std::max(width, place.x + kBoxWidth + kMargin);
    height = std::max(height, place.y + kBoxHeight + kMargin);
  }
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" "
      "font-size=\"13\">\n<title>{2}</title>\n<defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" "
      "markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#555\"/></marker></defs>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      width, height, escape_html(spec.name));
  for (std::size_t i = 0; i < spec.stages.size(); ++i) {
    for (const auto& link : spec.stages[i].links)
      svg += line(spec, link, schemas[link.from][link.port].rate_hz, lanes[i] != lanes[link.from], places[link.from], places[i]);
  }
  for (std::size_t i = 0; i < spec.stages.size(); ++i) svg += box(spec.stages[i], schemas[i], places[i]);
  return svg + "</svg>\n";
}

}  // namespace moru::edge
